"""What single votes say of a judge."""

import pytest

from plaudit.schemas.judge import Winner
from plaudit.schemas.judge_statistics import JudgedVote
from plaudit_judge.statistics.votes import first_position_rate, flip_rate, unparsed_rate


def votes(straight: list[Winner | None], swapped: list[Winner | None]) -> list[JudgedVote]:
    return [JudgedVote(winner=winner, swapped=False) for winner in straight] + [
        JudgedVote(winner=winner, swapped=True) for winner in swapped
    ]


def test_a_judge_that_takes_the_first_is_caught() -> None:
    pairs = [votes(["a"], ["b"])] * 50
    assert first_position_rate(pairs).value == 1.0
    assert first_position_rate(pairs).low > 0.9
    assert flip_rate(pairs).value == 1.0


def test_a_judge_that_takes_the_better_has_no_side() -> None:
    pairs = [votes(["a"], ["a"]), votes(["b"], ["b"])]
    assert first_position_rate(pairs).value == 0.5
    assert flip_rate(pairs).value == 0.0


def test_ties_and_silence_have_no_position() -> None:
    assert first_position_rate([votes(["tie", None], ["tie"])]) is None
    assert first_position_rate([votes(["a", None], ["tie"])]).value == 1.0


@pytest.mark.parametrize(
    ("straight", "swapped", "flipped"),
    [
        (["a"], ["tie"], True),
        (["a", "a", "b"], ["a", "b", "a"], False),
        (["a", "b"], ["tie"], False),
        (["a", "b", "b"], ["a", None], True),
    ],
)
def test_each_order_has_its_majority(
    straight: list[Winner | None], swapped: list[Winner | None], flipped: bool
) -> None:
    assert flip_rate([votes(straight, swapped)]).value == float(flipped)


@pytest.mark.parametrize("one", [votes(["a"], []), votes(["a"], [None]), []])
def test_a_pair_with_one_order_cannot_flip(one: list[JudgedVote]) -> None:
    assert flip_rate([one]) is None


def test_unparsed_is_counted_by_votes() -> None:
    found = unparsed_rate([votes(["a"], [None]), votes(["tie", "b"], []), []])
    assert (found.value, found.num_items) == (0.25, 2)
