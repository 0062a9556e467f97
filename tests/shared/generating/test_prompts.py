"""Rows of prompts files, before anything is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from plaudit.errors import ConfigError
from plaudit.generating.prompts import PromptFile, PromptRow, describe
from plaudit.generating.think import strip_think
from plaudit.schemas.generate import Ask

ROW = {"id": "a", "prompt": "1+1?", "reference": {"answer": "2"}}


def rows(tmp_path: Path, *lines: dict[str, Any], **columns: str) -> list[PromptRow]:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    file = PromptFile(path, "options", **columns)
    file.check()
    return list(file.rows())


def test_a_prompt_is_a_text_or_messages_and_the_reference_stays_beside_it(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    first, second = rows(tmp_path, ROW, {"prompt": messages, "more": 1})
    assert (first.item_id, first.prompt[0].role, first.reference) == ("a", "user", {"answer": "2"})
    assert (second.item_id, second.number, len(second.prompt)) == ("1", 1, 2)


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    [row] = rows(
        tmp_path, {"q": "1+1?", "n": 7, "gold": "2"},
        prompt_column="q", id_column="n", reference_column="gold",
    )  # fmt: skip
    assert (row.item_id, row.prompt[0].content, row.reference) == ("7", "1+1?", "2")


def test_parquet_is_read_as_jsonl_is(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    messages = [{"role": "user", "content": "1+1?"}]
    table = pyarrow.Table.from_pylist([{"id": "a", "prompt": messages, "reference": {"x": 1}}])
    parquet.write_table(table, tmp_path / "in.parquet")
    [row] = PromptFile(tmp_path / "in.parquet", "options").rows()
    assert (row.item_id, row.prompt[0].content, row.reference) == ("a", "1+1?", {"x": 1})
    (tmp_path / "no.parquet").write_text("x")
    with pytest.raises(ConfigError, match="cannot be read"):
        PromptFile(tmp_path / "no.parquet", "options").check()


def test_another_option_is_another_question(tmp_path: Path) -> None:
    [row] = rows(tmp_path, ROW)
    [same] = rows(tmp_path, ROW | {"reference": 3})
    options = [describe(Ask(n=n), "m", strip_think=strip) for n, strip in [(1, False), (2, True)]]
    keys = {next(PromptFile(tmp_path / "in.jsonl", one).rows()).key for one in options}
    assert row.key == same.key and len(keys | {row.key}) == 3


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"id": "a"}], "in.jsonl:1: no column 'prompt'; there are id"),
        ([ROW, ROW], "rows 1 and 2 have the same id 'a'"),
        ([{"prompt": [{"role": "robot", "content": "x"}]}], "in.jsonl:1: prompt.0.role"),
        ([{"prompt": []}], "in.jsonl:1: prompt: no message"),
        ([{"id": 1.5, "prompt": "x"}], "id: must be a text or a whole number"),
        ([], "has no rows"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, lines: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rows(tmp_path, *lines)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\n2?\n</think>\n\n4", "4"),
        ("a </think> b </think> c", "c"),
        ("plain", "plain"),
        ("<think> cut off", "<think> cut off"),
        ("</think>", ""),
    ],
)
def test_thinking_is_cut_off_up_to_its_last_end(text: str, answer: str) -> None:
    assert strip_think(text) == answer
