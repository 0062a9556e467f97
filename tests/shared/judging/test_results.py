"""The output file: what is in it is not asked again."""

import json
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.judging.items import Item
from plaudit.judging.results import Results
from plaudit.judging.verbs import PAIRWISE, POINTWISE
from plaudit.schemas.judge import PairwiseRequest, PairwiseResponse, Usage

ANSWER = PairwiseResponse(winner="a", p_a=1.0, votes=[], usage=Usage()).model_dump()


def item(name: str, key: str = "ab" * 32) -> Item:
    return Item(name, PairwiseRequest(prompt=[], a="1", b="2"), key, gold="a")


def test_an_answer_is_there_for_the_next_run(tmp_path: Path) -> None:
    with Results(tmp_path / "out", PAIRWISE) as results:
        assert not results.has(item("1"))
        results.append(item("1"), ANSWER)
    with Results(tmp_path / "out", PAIRWISE) as results:
        assert results.has(item("1"))
        assert not results.has(item("2"))
        [(result, response)] = results.read()
    assert (result.id, result.gold, response.usage.calls) == ("1", "a", 0)


def test_an_answer_is_handed_to_the_system_at_once(tmp_path: Path) -> None:
    with Results(tmp_path / "out", PAIRWISE) as results:
        results.append(item("1"), ANSWER)
        assert json.loads((tmp_path / "out").read_text())["id"] == "1"


@pytest.mark.parametrize("num_torn_bytes", [1, 70_000])
def test_a_line_that_a_killed_run_left_half_written_is_cut_off(
    tmp_path: Path, num_torn_bytes: int
) -> None:
    path = tmp_path / "out"
    with Results(path, PAIRWISE) as results:
        results.append(item("1"), ANSWER)
    whole = path.read_bytes()
    path.write_bytes(whole + b"x" * num_torn_bytes)
    with Results(path, PAIRWISE) as results:
        assert results.has(item("1"))
        results.append(item("2"), ANSWER)
    assert len(path.read_bytes().splitlines()) == 2
    path.write_bytes(b'{"id": "1"')
    with Results(path, PAIRWISE) as results:
        assert not results.has(item("1"))


def test_the_answer_to_another_question_is_not_taken_for_this_one(tmp_path: Path) -> None:
    with Results(tmp_path / "out", PAIRWISE) as results:
        results.append(item("1"), ANSWER)
        with pytest.raises(ConfigError, match="another question or other options"):
            results.has(item("1", key="cd" * 32))


def test_two_runs_cannot_write_the_same_file(tmp_path: Path) -> None:
    with (
        Results(tmp_path / "out", PAIRWISE),
        pytest.raises(ConfigError, match="being written by another plaudit"),
    ):
        Results(tmp_path / "out", PAIRWISE)


def test_a_file_of_something_else_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text('{"prompt": "1+1?"}\n')
    with pytest.raises(ConfigError, match="out:1: not a result of `plaudit judge pairwise`"):
        Results(path, PAIRWISE)
    assert path.read_text() == '{"prompt": "1+1?"}\n'


def test_the_answers_of_another_verb_are_refused(tmp_path: Path) -> None:
    with Results(tmp_path / "out", PAIRWISE) as results:
        results.append(item("1"), ANSWER)
    with pytest.raises(ConfigError, match="not a result of `plaudit judge pointwise`"):
        Results(tmp_path / "out", POINTWISE)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        Results(tmp_path / "none/out", PAIRWISE)
