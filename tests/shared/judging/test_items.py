"""The lines of an input file, before anything is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from plaudit.errors import ConfigError
from plaudit.judging.assess import GOLD_WINNER
from plaudit.judging.items import Item, Source
from plaudit.judging.verbs import PAIRWISE, REWARD, Verb

LINE = {"prompt": "1+1?", "a": "2", "b": "3"}


def source(tmp_path: Path, *lines: object, verb: Verb = PAIRWISE, **fields: Any) -> Source:
    path = tmp_path / "in.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts))
    return Source(path, verb, fields.pop("defaults", {}), **fields)


def items(*arguments: Any, **fields: Any) -> list[Item]:
    return list(source(*arguments, **fields).items())


def test_a_line_is_a_request_whose_prompt_may_be_a_text(tmp_path):
    [item] = items(tmp_path, LINE | {"votes": 3})
    assert item.request.prompt[0].role == "user"
    assert item.request.model_dump()["votes"] == 3


def test_what_a_line_leaves_out_comes_from_the_command_line(tmp_path):
    first, second = items(
        tmp_path, LINE, LINE | {"judge": "own"}, defaults={"judge": "opus", "votes": 2}
    )
    assert [first.request.judge, second.request.judge] == ["opus", "own"]


def test_an_id_may_be_a_text_or_a_number_and_else_stands_for_the_question(tmp_path):
    named, numbered, plain, same = items(
        tmp_path, LINE | {"id": "x"}, LINE | {"id": 7}, LINE, dict(reversed(LINE.items()))
    )
    assert [named.item_id, numbered.item_id] == ["x", "7"]
    assert plain.item_id == same.item_id == named.key[:16]


def test_another_option_is_another_question(tmp_path):
    [one] = items(tmp_path, LINE)
    [other] = items(tmp_path, LINE, defaults={"votes": 2})
    assert one.key != other.key


def test_metadata_is_left_aside(tmp_path):
    [plain], [noted] = items(tmp_path, LINE), items(tmp_path, LINE | {"metadata": {"model": "x"}})
    assert plain == noted


def test_what_is_right_is_kept_and_not_sent(tmp_path):
    [item] = items(tmp_path, LINE | {"gold": ["a", "tie"]}, gold=GOLD_WINNER)
    assert item.gold == ["a", "tie"]
    assert "gold" not in item.request.model_dump()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "in.jsonl:2: not JSON"),
        ("[1]", "in.jsonl:2: not a JSON object"),
        ("[" * 100_000, "in.jsonl:2: not JSON"),
        (LINE | {"referense": "2"}, "in.jsonl:2: referense: Extra inputs are not permitted"),
        ({"prompt": "1+1?", "a": "2"}, "in.jsonl:2: b: Field required"),
        (LINE | {"id": True}, "in.jsonl:2: id: must be a text or a whole number"),
        (LINE | {"id": ""}, "in.jsonl:2: id: must have 1 to 256 characters"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, said):
    with pytest.raises(ConfigError) as raised:
        source(tmp_path, LINE, line).check()
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("gold", "said"), [({}, "gold: missing"), ({"gold": "A"}, "gold: Input should be 'a', 'b'")]
)
def test_a_line_that_does_not_say_what_is_right_is_named(tmp_path, gold, said):
    with pytest.raises(ConfigError) as raised:
        source(tmp_path, LINE | gold, gold=GOLD_WINNER).check()
    assert f"in.jsonl:1: {said}" in str(raised.value)


def test_a_column_of_ones_own_is_told_where_to_go(tmp_path):
    with pytest.raises(ConfigError, match="metadata"):
        source(tmp_path, LINE | {"model_a": "x"}).check()


def test_the_same_id_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="items 1 and 2 have the same id"):
        source(tmp_path, LINE, LINE).check()


def test_an_empty_file_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="has no lines"):
        source(tmp_path).check()
    with pytest.raises(ConfigError, match="cannot be read"):
        Source(tmp_path / "none.jsonl", PAIRWISE, {}).check()


def test_a_line_without_end_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("plaudit.file_job.lines.MAX_LINE_BYTES", 100)
    with pytest.raises(ConfigError, match="a line is over 100 bytes"):
        source(tmp_path, "x" * 101).check()


def test_a_checked_file_tells_its_judges_and_rubrics(tmp_path):
    found = source(tmp_path, LINE, LINE | {"judge": "opus", "rubric": "math"}).check()
    assert found.num_items == 2
    assert found.judges == {"self", "opus"}
    assert found.rubrics == {"sr_r1", "math"}
    line = {"prompt": "x", "responses": ["1"], "judge": "rm"}
    assert source(tmp_path, line, verb=REWARD).check().rubrics == set()
