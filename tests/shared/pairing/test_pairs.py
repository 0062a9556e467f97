"""Pairs of the answers to one prompt, and lines of generations."""

from typing import Any

import pytest

from plaudit.errors import ConfigError
from plaudit.pairing.generations import tournament_fields
from plaudit.pairing.pairs import Ranked, pairs_of
from plaudit.schemas.common import Message

PROMPT = [Message(role="user", content="Write.")]


def ranked(*ratings: float | None) -> Ranked:
    return Ranked("row", PROMPT, [f"r{i}" for i in range(len(ratings))], ratings)


def shape(found: Any) -> Any:
    if isinstance(found, str):
        return found
    return [(pair.id, pair.chosen, pair.rejected, pair.margin) for pair in found]


def test_the_best_is_paired_with_the_worst_that_have_a_rating() -> None:
    found = pairs_of(ranked(0.5, None, 2.0, -1.0))
    assert shape(found) == [("row", "r2", "r3", 3.0)]
    assert found[0].prompt == PROMPT


def test_all_pairs_above_a_margin() -> None:
    found = pairs_of(ranked(0.0, 1.0, 3.0), above=1.0)
    assert shape(found) == [("row/2-1", "r2", "r1", 2.0), ("row/2-0", "r2", "r0", 3.0)]


@pytest.mark.parametrize(
    ("ratings", "above", "why"),
    [
        ((None, None), None, "no_verdict"),
        ((None, 1.0), None, "no_verdict"),
        ((1.0, 1.0, None), None, "tie"),
        ((1.0, 1.0), 0.0, "tie"),
        ((1.0, 1.5), 1.0, "below_margin"),
    ],
)
def test_where_nobody_is_better_there_is_no_pair_and_a_reason(
    ratings: tuple[float | None, ...], above: float | None, why: str
) -> None:
    assert pairs_of(ranked(*ratings), above) == why


def test_a_line_of_generations_is_a_tournament_of_its_different_answers() -> None:
    line = {
        "id": 3, "prompt": "Write.", "key": "ab", "reference": None,
        "completions": [{"text": "a", "finish_reason": "stop"}, {"text": "b"}, "a"],
    }  # fmt: skip
    assert tournament_fields(line, "f:1") == {"id": 3, "prompt": "Write.", "responses": ["a", "b"]}
    assert tournament_fields({"prompt": "x", "completions": ["a", "a"]}, "f:1") is None


def test_a_line_of_something_else_is_named() -> None:
    with pytest.raises(ConfigError, match="f:7: completions: Field required"):
        tournament_fields({"prompt": "x"}, "f:7")
