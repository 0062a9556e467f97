"""What is held for a request before it is judged: as many calls as it can make."""

from typing import Any

import pytest

from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest, TournamentRequest
from plaudit.schemas.judge_calibrate import CalibrateRequest, LabelledPair
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit.schemas.judge_scores import ListwiseRequest, PointwiseRequest
from plaudit_judge.ledger.estimate import Size, estimate_usd, size_of
from plaudit_judge.ledger.prices import Price
from plaudit_judge.schedules.make import make_schedule

PROMPT = [Message(role="user", content="p" * 10)]


def group(num: int, **fields: Any) -> TournamentRequest:
    return TournamentRequest(prompt=PROMPT, responses=["r" * 100] * num, **fields)


def labelled(a: str) -> LabelledPair:
    return LabelledPair(prompt=PROMPT, a=a, b="b", gold="a")


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (PairwiseRequest(prompt=PROMPT, a="aa", b="b", reference="r", votes=3), Size(6, 14)),
        (PairwiseRequest(prompt=PROMPT, a="aa", b="b", swap=False), Size(1, 13)),
        (PointwiseRequest(prompt=PROMPT, response="abc", votes=2), Size(2, 13)),
        (ListwiseRequest(prompt=PROMPT, responses=["a", "bb"]), Size(1, 13)),
        (JudgeRewardRequest(prompt=PROMPT, judge="j", responses=["a", "bb"]), Size(2, 12)),
        (CalibrateRequest(pairs=[labelled("a"), labelled("aaa")]), Size(4, 13)),
        (group(8), Size(28, 210)),
        (group(8, swap=True), Size(56, 210)),
        (group(1), Size(0, 210)),
    ],
)
def test_the_calls_and_what_is_shown_in_each(request_: Any, size: Size) -> None:
    assert size_of(request_) == size


@pytest.mark.parametrize("num", [2, 3, 5, 8, 16])
@pytest.mark.parametrize(
    "rules",
    [
        {"schedule": "all_pairs"},
        {"schedule": "round_robin_sampled", "pair_ratio": 0.3},
        {"schedule": "circular"},
        {"schedule": "swiss"},
        {"schedule": "anchor", "anchor_index": 0},
        {"schedule": "anchor", "anchor": "x"},
        {"schedule": "adaptive", "rating": "bradley_terry"},
    ],
    ids=str,
)
def test_no_schedule_makes_more_calls_in_its_first_round_than_are_held_for(
    num: int, rules: dict[str, Any]
) -> None:
    request = group(num, **rules)
    first_round = make_schedule(request).next_round([])
    assert len(first_round) <= size_of(request).calls <= 2 * num * (num - 1)


def test_a_jury_costs_what_its_members_cost() -> None:
    price = Price(input_usd_per_mtok=3.0, output_usd_per_mtok=15.0)
    one, two = (estimate_usd(group(8), [price] * members, 500) for members in (1, 2))
    assert one == pytest.approx(28 * 1e-6 * (1070 * 3 + 500 * 15))
    assert two == pytest.approx(2 * one)
