"""Rank the answers of one group by comparing them in pairs."""

import asyncio
from functools import partial

from plaudit.errors import Rejected
from plaudit.schemas.judge import (
    Comparison,
    Interval,
    PairwiseRequest,
    PairwiseResponse,
    TournamentRequest,
    TournamentResponse,
    Winner,
)
from plaudit_judge.chance import draw
from plaudit_judge.pairwise import POINTS_OF_A, Bench, add_usage, try_pair
from plaudit_judge.prompt import extract_prompt_text
from plaudit_judge.ratings.bootstrap import bootstrap_intervals
from plaudit_judge.ratings.game import Game
from plaudit_judge.ratings.position_weights import Verdict
from plaudit_judge.ratings.rate import Judged, rate, reward
from plaudit_judge.schedules.make import make_schedule
from plaudit_judge.schedules.schedule import Match
from plaudit_judge.together import together

_MAX_NUMBER = 1e9
"""Ratings and rewards made of such numbers cannot overflow."""


async def run_tournament(bench: Bench, request: TournamentRequest) -> TournamentResponse:
    """All comparisons of a round at once. Raises Unavailable: one was not answered in time.

    A comparison that the judge can never make (too long for its context) is null and left out, as
    is one whose verdict could not be parsed. A response with no comparison left has no reward.
    """
    check_tournament(request)
    results = await _play(bench, request)
    judged = [one for match, result in results if (one := _judged(request, match, result))]
    num_items, num_responses = len(_items(request)), len(request.responses)
    ratings = rate(request, num_items, judged, request.seed)[:num_responses]
    return TournamentResponse(
        ratings=ratings,
        rewards=reward(request, ratings),
        intervals=await _intervals(request, num_items, judged),
        comparisons=[
            Comparison(a=match.a, b=match.b, winner=result.winner, p_a=result.p_a)
            for match, result in results
        ],
        rubric=bench.stamp(),
        usage=add_usage(result.usage for _, result in results),
    )


async def _play(bench: Bench, request: TournamentRequest) -> list[tuple[Match, PairwiseResponse]]:
    schedule = make_schedule(request)
    results: list[tuple[Match, PairwiseResponse]] = []
    while True:
        games = [game for match, result in results if (game := _game(match, result))]
        # In a thread: a large adaptive round takes longer than the other calls should wait.
        matches = await asyncio.to_thread(schedule.next_round, games)
        if not matches:
            return results
        answers = await together(
            (partial(_compare, bench, request, match) for match in matches),
            bench.calls.max_concurrency,
        )
        results += zip(matches, answers, strict=True)


def _items(request: TournamentRequest) -> list[str]:
    """The responses, and the baseline answer when it is none of them."""
    return request.responses + ([] if request.anchor is None else [request.anchor])


def check_tournament(request: TournamentRequest) -> None:
    """Raises Rejected: no prompt, numbers beyond measure, or a range upside down."""
    extract_prompt_text(request.prompt)
    for name in ("reward_min", "reward_max", "elo_k"):
        number = getattr(request, name)
        if not abs(number) <= _MAX_NUMBER:
            raise Rejected(f"{name}: {number:g} is not a number up to {_MAX_NUMBER:g}.")
    if request.reward_min > request.reward_max:
        raise Rejected(
            f"reward_min: {request.reward_min:g} is above reward_max = {request.reward_max:g}.",
            fix="Swap them.",
        )


async def _compare(bench: Bench, request: TournamentRequest, match: Match) -> PairwiseResponse:
    a, b, swapped = match
    items = _items(request)
    pair = PairwiseRequest(
        prompt=request.prompt,
        a=items[a],
        b=items[b],
        swap=request.swap,
        cache=request.cache,
        # The pair is in the seed: equal answers elsewhere in the group get another draw.
        seed=draw(request.seed, "pair", a, b),
    )
    return await try_pair(bench, pair, swapped)


def _game(match: Match, result: PairwiseResponse) -> Game | None:
    if result.winner is None:
        return None
    return Game(match.a, match.b, POINTS_OF_A[result.winner])


def _judged(request: TournamentRequest, match: Match, result: PairwiseResponse) -> Judged | None:
    game = _game(match, result)
    if game is None:
        return None
    verdicts = [_verdict(match, vote.winner, vote.swapped) for vote in result.votes if vote.winner]
    # Identical answers are a tie without a call: as many votes as the others have.
    ties = [Verdict(match.a, match.b, 0.5)] * (2 if request.swap else 1)
    return Judged(game, tuple(verdicts or ties))


def _verdict(match: Match, winner: Winner, swapped: bool) -> Verdict:
    score_a = POINTS_OF_A[winner]
    if swapped:
        return Verdict(match.b, match.a, 1.0 - score_a)
    return Verdict(match.a, match.b, score_a)


async def _intervals(
    request: TournamentRequest, num_items: int, judged: list[Judged]
) -> list[Interval | None] | None:
    """In a thread, because hundreds of fits take longer than the other calls should wait."""
    if request.lane != "eval":
        return None
    intervals = await asyncio.to_thread(
        bootstrap_intervals, request, num_items, judged, request.bootstrap_resamples, request.seed
    )
    return intervals[: len(request.responses)]
