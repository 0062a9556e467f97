"""Pairs out of stored verdicts: as the ledger writes them, one call each."""

from typing import Any

import pytest

from plaudit.schemas.judge import RubricStamp
from plaudit.schemas.judge_statistics import JudgedPair
from plaudit.schemas.judge_verdict import StoredVerdict
from plaudit_judge.ledger.record import decode, encode
from plaudit_judge.statistics.pairs import measure_pairs
from plaudit_judge.statistics.stored import Seen, pairs_of

from ..ledger.calls import call, settings

SPEC = settings().judges["local"]


def stored(first: str, second: str, winner: str | None, **fields: Any) -> StoredVerdict:
    made = call(**{"answers": [first, second], "winner": winner} | fields)
    verdict = decode(encode(made, SPEC, max_bytes=10_000), "1-1")
    assert verdict is not None
    return verdict


def pairs(*verdicts: StoredVerdict) -> list[JudgedPair]:
    return pairs_of(seen for verdict in verdicts if (seen := Seen.of(verdict)))


def test_both_orders_of_two_answers_are_one_pair() -> None:
    found = pairs(stored("long", "x", "first"), stored("x", "long", "second"))
    assert len(found) == 1
    assert found[0].winner in ("a", "b")
    assert [vote.winner for vote in found[0].votes] == [found[0].winner] * 2
    assert {vote.swapped for vote in found[0].votes} == {False, True}


@pytest.mark.parametrize("answers", [("long", "x"), ("x", "long")])
def test_lengths_and_winner_are_of_the_same_answer(answers: tuple[str, str]) -> None:
    first, second = answers
    winner = "first" if first == "long" else "second"
    found = pairs(stored(first, second, winner))[0]
    longer = "a" if (found.num_chars_a or 0) > (found.num_chars_b or 0) else "b"
    assert found.winner == longer


def test_orders_that_disagree_flip_and_show_the_position() -> None:
    found = measure_pairs(pairs(stored("1", "2", "first"), stored("2", "1", "first")), seed=0)
    assert (found.num_pairs, found.num_votes) == (1, 2)
    assert found.flip_rate.value == 1.0
    assert found.first_position_rate.value == 1.0
    assert found.tie_rate.value == 1.0


def test_a_verdict_that_could_not_be_read_is_unparsed() -> None:
    found = measure_pairs(pairs(stored("1", "2", None), stored("2", "1", "tie")), seed=0)
    assert found.unparsed_rate.value == 0.5


@pytest.mark.parametrize(
    "fields",
    [
        {"reference": "r"},
        {"rubric": RubricStamp(name="other", version=1, sha256="0")},
        {"prompt": []},
        {"answers": ["1", "3"]},
    ],
    ids=str,
)
def test_another_question_is_another_pair(fields: dict[str, Any]) -> None:
    assert len(pairs(stored("1", "2", "first"), stored("1", "2", "first", **fields))) == 2


def test_scores_and_remembered_verdicts_are_left_out() -> None:
    kept = stored("1", "2", "first")
    remembered = stored("2", "1", "first", cached=True)
    score = stored("1", "2", None, scores=[1.0, 2.0])
    assert pairs(kept, remembered, score) == pairs(kept)


def test_what_was_asked_often_has_its_newest_votes() -> None:
    many = [stored("1", "2", "first")] * 3 + [stored("1", "2", "second")] * 70
    votes = pairs(*many)[0].votes
    assert len(votes) == 64
    assert [vote.winner == votes[0].winner for vote in votes[:4]] == [True, True, True, False]
