"""A whole group: comparisons, ratings, rewards, and what happens when some cannot be made."""

import asyncio
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.judge import TournamentRequest
from plaudit_judge.pairwise import Bench
from plaudit_judge.tournament import run_tournament

from .conftest import ChatServer, completion, error, larger_number_wins, shown

PROMPT = [Message(role="user", content="Count.")]


def group(*responses: str, **fields: Any) -> TournamentRequest:
    return TournamentRequest(prompt=PROMPT, responses=list(responses), rubric="demo", **fields)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"judge": "local", **labels}) or 0.0


async def test_a_clean_order_gives_the_published_elo_vector(bench: Bench) -> None:
    response = await run_tournament(bench, group("9", "7", "5", "3"))
    assert [rating and round(rating, 4) for rating in response.ratings] == [
        164.9916, 54.8756, -54.1356, -165.7316,
    ]  # fmt: skip
    assert response.rewards[0] == 3.0
    assert response.rewards[3] == 0.0
    assert response.rewards[1] == pytest.approx(3 * (54.8756 + 165.7316) / (164.9916 + 165.7316))
    assert [(c.a, c.b, c.winner) for c in response.comparisons] == [
        (0, 1, "a"), (0, 2, "a"), (0, 3, "a"), (1, 2, "a"), (1, 3, "a"), (2, 3, "a"),
    ]  # fmt: skip
    assert response.usage.calls == 6


async def test_swap_asks_every_pair_in_both_orders(bench: Bench, chat: ChatServer) -> None:
    response = await run_tournament(bench, group("1", "2", "3", swap=True))
    assert response.usage.calls == len(chat.asked) == 6
    assert len({shown(body) for body in chat.asked}) == 6


async def test_without_swap_the_orders_are_mixed_even_for_repeated_answers(
    bench: Bench, chat: ChatServer
) -> None:
    await run_tournament(bench, group(*["1", "2"] * 4))
    orders = [shown(body) for body in chat.asked]
    assert len(orders) == 16
    assert 2 < orders.count(("1", "2")) < 14


async def test_the_same_seed_asks_the_same_questions(bench: Bench, chat: ChatServer) -> None:
    request = group("1", "2", "3", "4", schedule="round_robin_sampled", pair_ratio=0.5, seed=11)
    first = await run_tournament(bench, request)
    asked = sorted(map(str, chat.asked))
    chat.asked.clear()
    assert await run_tournament(bench, request) == first
    assert sorted(map(str, chat.asked)) == asked
    assert len(asked) == 3


async def test_no_verdict_at_all_means_no_reward_for_anybody(
    bench: Bench, chat: ChatServer
) -> None:
    chat.behave = lambda body: completion("Hard to say.")
    response = await run_tournament(bench, group("1", "2", "3"))
    assert response.rewards == [None, None, None]
    assert response.ratings == [None, None, None]
    assert [c.winner for c in response.comparisons] == [None, None, None]
    assert response.usage.unparsed == 3


async def test_verdicts_that_are_all_ties_give_everybody_the_middle(
    bench: Bench, chat: ChatServer
) -> None:
    chat.behave = lambda body: completion("Winner: tie")
    assert (await run_tournament(bench, group("1", "2", "3"))).rewards == [1.5, 1.5, 1.5]


async def test_identical_answers_are_ties_and_cost_nothing(bench: Bench, chat: ChatServer) -> None:
    before = metric("plaudit_judge_identical_pairs_total")
    response = await run_tournament(bench, group("1", "1", "1"))
    assert response.rewards == [1.5, 1.5, 1.5]
    assert chat.asked == []
    assert metric("plaudit_judge_identical_pairs_total") == before + 3


async def test_a_response_without_a_parsed_comparison_has_no_reward(
    bench: Bench, chat: ChatServer
) -> None:
    def mute_about_five(body: dict[str, Any]) -> web.Response:
        return completion("?") if "5" in shown(body) else larger_number_wins(body)

    chat.behave = mute_about_five
    response = await run_tournament(bench, group("9", "5", "1"))
    assert response.rewards == [3.0, None, 0.0]
    assert [c.winner for c in response.comparisons] == [None, "a", None]
    assert response.usage.unparsed == 2


async def test_a_comparison_that_can_never_be_made_is_left_out_and_counted(
    bench: Bench, chat: ChatServer
) -> None:
    def too_long_with_five(body: dict[str, Any]) -> web.Response:
        return error(400, "too long") if "5" in shown(body) else larger_number_wins(body)

    before = metric("plaudit_judge_failed_comparisons_total")
    chat.behave = too_long_with_five
    response = await run_tournament(bench, group("9", "5", "1"))
    assert response.rewards == [3.0, None, 0.0]
    assert metric("plaudit_judge_failed_comparisons_total") == before + 2
    assert response.usage.calls == 1


async def test_a_judge_that_stays_down_fails_the_whole_tournament(
    bench: Bench, chat: ChatServer
) -> None:
    def down_for_five(body: dict[str, Any]) -> web.Response:
        return error(500) if "5" in shown(body) else larger_number_wins(body)

    chat.behave = down_for_five
    hasty = replace(bench, deadline_s=time.monotonic() + 0.5)
    with pytest.raises(Unavailable):
        await run_tournament(hasty, group("9", "5", "1"))


async def test_a_single_response_has_no_reward(bench: Bench, chat: ChatServer) -> None:
    response = await run_tournament(bench, group("1"))
    assert (response.ratings, response.rewards, response.comparisons) == ([None], [None], [])
    assert chat.asked == []


@pytest.mark.parametrize("order", ["sequential", "shuffled", "batch"])
async def test_every_elo_order_ranks_a_clean_order_right(bench: Bench, order: str) -> None:
    response = await run_tournament(bench, group("4", "3", "2", "1", elo_order=order))
    assert all(better > worse for better, worse in pairwise(response.ratings))


async def test_rewards_go_to_the_range_that_was_asked_for(bench: Bench) -> None:
    response = await run_tournament(bench, group("2", "1", reward_min=-1.0, reward_max=1.0))
    assert response.rewards == [1.0, -1.0]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"reward_min": 2.0, "reward_max": 1.0}, "reward_min: 2 is above reward_max = 1"),
        ({"reward_max": float("inf")}, "reward_max: inf"),
        ({"reward_min": float("nan")}, "reward_min: nan"),
        ({"elo_k": float("inf")}, "elo_k: inf"),
        ({"elo_k": 1e10}, r"elo_k: 1e\+10 is not a number up to 1e\+09"),
    ],
)
async def test_numbers_that_make_no_sense_are_rejected(
    bench: Bench, fields: dict[str, float], complaint: str
) -> None:
    with pytest.raises(Rejected, match=complaint):
        await run_tournament(bench, group("4", "3", "2", "1", **fields))


async def test_the_largest_numbers_do_not_overflow(bench: Bench) -> None:
    request = group("3", "2", "1", elo_k=1e9, elo_iterations=1000, reward_min=-1e9, reward_max=1e9)
    response = await run_tournament(bench, request)
    assert response.rewards[0] == 1e9
    assert min(reward for reward in response.rewards if reward is not None) == -1e9


async def test_a_prompt_without_messages_is_rejected(bench: Bench) -> None:
    empty = TournamentRequest(prompt=[], responses=["1", "2"], rubric="demo")
    with pytest.raises(Rejected, match="prompt: has no messages"):
        await run_tournament(bench, empty)


async def test_verdicts_and_tokens_are_counted_by_judge(bench: Bench) -> None:
    names = ("first", "second")
    before = [metric("plaudit_judge_verdicts_total", verdict=name) for name in names]
    tokens = metric("plaudit_judge_tokens_total", kind="prompt")
    calls = metric("plaudit_judge_calls_total", outcome="ok")
    await run_tournament(bench, group("3", "2", "1", swap=True))
    after = [metric("plaudit_judge_verdicts_total", verdict=name) for name in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, 3]
    assert metric("plaudit_judge_tokens_total", kind="prompt") == tokens + 120
    assert metric("plaudit_judge_calls_total", outcome="ok") == calls + 6


async def test_all_comparisons_run_at_once(bench: Bench, chat: ChatServer) -> None:
    async def when_all_are_there(body: dict[str, Any]) -> web.StreamResponse:
        async with asyncio.timeout(20):
            while chat.max_running < 56:
                await asyncio.sleep(0.01)
        return larger_number_wins(body)

    chat.behave = when_all_are_there
    response = await run_tournament(bench, group(*map(str, range(8)), swap=True))
    assert response.usage.calls == chat.max_running == 56


async def test_every_schedule_ranks_a_clean_order(bench: Bench, chat: ChatServer) -> None:
    numbers = ["3", "8", "1", "6", "2", "7", "4", "5"]
    calls = {}
    for schedule in ("all_pairs", "swiss", "adaptive"):
        chat.asked.clear()
        request = group(*numbers, schedule=schedule, rating="bradley_terry", seed=3)
        response = await run_tournament(bench, request)
        assert response.usage.calls == len(chat.asked)
        calls[schedule] = len(chat.asked)
        assert (response.rewards[1], response.rewards[2]) == (3.0, 0.0)
    assert calls == {"all_pairs": 28, "swiss": 12, "adaptive": 28}


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": "round_robin_sampled", "pair_ratio": 0.1},
        {"schedule": "circular"},
        {"schedule": "swiss"},
        {"schedule": "adaptive"},
        {"schedule": "anchor", "anchor_index": 0},
    ],
)
async def test_the_smallest_groups_fit_every_schedule(bench: Bench, fields: dict[str, Any]) -> None:
    assert (await run_tournament(bench, group("1", **fields))).rewards == [None]
    two = await run_tournament(bench, group("1", "2", **fields))
    assert two.rewards == [0.0, 3.0]
    assert {(c.a, c.b) for c in two.comparisons} <= {(0, 1), (1, 0)}


async def test_identical_answers_are_ties_in_every_rating(bench: Bench, chat: ChatServer) -> None:
    for rating in ("elo", "bradley_terry", "bt_weighted", "win_rate"):
        response = await run_tournament(bench, group("7", "7", "7", rating=rating))
        assert response.rewards == [1.5] * 3
    assert chat.asked == []


async def test_circular_asks_as_many_pairs_as_there_are_responses(
    bench: Bench, chat: ChatServer
) -> None:
    response = await run_tournament(bench, group(*map(str, range(8)), schedule="circular"))
    assert len(response.comparisons) == len(chat.asked) == 8
    assert None not in response.rewards


async def test_adaptive_asks_in_a_few_rounds_and_in_both_orders_alike(
    bench: Bench, chat: ChatServer
) -> None:
    chat.delay_s = 0.1
    request = group(*map(str, range(8)), schedule="adaptive", max_comparisons=20, max_rounds=3)
    response = await run_tournament(bench, request)
    orders = [shown(body) for body in chat.asked]
    assert len(response.comparisons) == len(orders) == len(set(orders)) == 20
    assert chat.max_running >= 8
    assert response == await run_tournament(bench, request)


async def test_adaptive_stops_when_its_goal_is_settled(bench: Bench, chat: ChatServer) -> None:
    request = group("9", "0", schedule="adaptive", confidence=0.51, max_comparisons=100)
    assert len((await run_tournament(bench, request)).comparisons) == 1


async def test_answers_are_compared_with_a_baseline_that_gets_no_reward(bench: Bench) -> None:
    request = group("1", "9", "5", schedule="anchor", anchor="5.5", rating="win_rate", swap=True)
    response = await run_tournament(bench, request)
    assert response.ratings == [0.0, 1.0, 0.0]
    assert response.rewards == [0.0, 3.0, 0.0]
    assert [(c.a, c.b, c.winner) for c in response.comparisons] == [
        (0, 3, "b"), (1, 3, "a"), (2, 3, "b"),
    ]  # fmt: skip


async def test_a_response_can_be_the_baseline(bench: Bench) -> None:
    request = group("1", "9", "5", schedule="anchor", anchor_index=2, rating="win_rate")
    response = await run_tournament(bench, request)
    assert response.ratings == [0.0, 1.0, 0.5]
    assert [(c.a, c.b) for c in response.comparisons] == [(0, 2), (1, 2)]


async def test_position_weights_see_through_a_judge_that_likes_the_first(
    bench: Bench, chat: ChatServer
) -> None:
    chat.behave = lambda body: completion("Winner: response A")
    biased = group("1", "2", "3", "4", "5")
    assert (await run_tournament(bench, biased)).rewards != [1.5] * 5
    weighted = biased.model_copy(update={"rating": "bt_weighted"})
    assert (await run_tournament(bench, weighted)).rewards == [1.5] * 5


async def test_rewards_take_the_form_that_was_asked_for(bench: Bench) -> None:
    z_scores = await run_tournament(bench, group("3", "2", "1", reward_form="z_score"))
    assert sum(reward or 0.0 for reward in z_scores.rewards) == pytest.approx(0.0)
    ranks = await run_tournament(bench, group("9", "1", "8", "2", reward_form="rank"))
    assert ranks.rewards == [3.0, 0.0, 2.0, 1.0]


async def test_intervals_come_in_lane_eval_only(bench: Bench) -> None:
    assert (await run_tournament(bench, group("3", "2", "1"))).intervals is None
    request = group("3", "2", "1", lane="eval", rating="bradley_terry", bootstrap_resamples=20)
    response = await run_tournament(bench, request)
    assert response.intervals is not None
    assert len(response.intervals) == 3
    assert response.intervals[0].low > response.intervals[2].high
