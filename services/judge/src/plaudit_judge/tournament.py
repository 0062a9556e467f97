"""Rank the answers of one group by comparing them in pairs."""

from functools import partial

from plaudit.errors import Rejected
from plaudit.schemas.judge import (
    Comparison,
    PairwiseRequest,
    PairwiseResponse,
    TournamentRequest,
    TournamentResponse,
    Usage,
)
from plaudit.telemetry import get_logger
from plaudit_judge import metrics
from plaudit_judge.chance import draw
from plaudit_judge.pairwise import Bench, add_usage, judge_pair
from plaudit_judge.prompt import extract_prompt_text
from plaudit_judge.rating import Game, min_max_rewards, run_elo
from plaudit_judge.schedule import Pair, all_pairs
from plaudit_judge.together import together

log = get_logger(__name__)
_SCORE_OF_A = {"a": 1.0, "tie": 0.5, "b": 0.0}
_MAX_NUMBER = 1e9
"""Ratings and rewards made of such numbers cannot overflow."""
_UNJUDGED = PairwiseResponse(winner=None, p_a=None, votes=[], usage=Usage())


async def run_tournament(bench: Bench, request: TournamentRequest) -> TournamentResponse:
    """All comparisons at once. Raises Unavailable: one of them was not answered by the deadline.

    A comparison that the judge can never make (too long for its context) is null and left out, as
    is one whose verdict could not be parsed. A response with no comparison left has no reward.
    """
    check_tournament(request)
    pairs = all_pairs(len(request.responses), request.pair_ratio, request.seed)
    judged = await together(
        (partial(_compare, bench, request, pair) for pair in pairs), bench.max_tasks
    )
    comparisons = [
        Comparison(a=a, b=b, winner=result.winner, p_a=result.p_a)
        for (a, b), result in zip(pairs, judged, strict=True)
    ]
    ratings, rewards = rate(request, comparisons)
    return TournamentResponse(
        ratings=ratings,
        rewards=rewards,
        comparisons=comparisons,
        usage=add_usage(result.usage for result in judged),
    )


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


async def _compare(bench: Bench, request: TournamentRequest, pair: Pair) -> PairwiseResponse:
    a, b = pair
    try:
        return await judge_pair(
            bench,
            PairwiseRequest(
                prompt=request.prompt,
                a=request.responses[a],
                b=request.responses[b],
                swap=request.swap,
                # The pair is in the seed: equal answers elsewhere in the group get another draw.
                seed=draw(request.seed, "pair", a, b),
            ),
        )
    except Rejected as error:
        metrics.FAILED_COMPARISONS.labels(bench.judge.name).inc()
        log.warning("comparison_failed", judge=bench.judge.name, a=a, b=b, reason=error.message)
        return _UNJUDGED


def rate(
    request: TournamentRequest, comparisons: list[Comparison]
) -> tuple[list[float], list[float | None]]:
    """Ratings and rewards of a group whose comparisons are known."""
    games = [Game(c.a, c.b, _SCORE_OF_A[c.winner]) for c in comparisons if c.winner is not None]
    ratings = run_elo(
        len(request.responses),
        games,
        iterations=request.elo_iterations,
        k_factor=request.elo_k,
        order=request.elo_order,
        seed=request.seed,
    )
    rated = {item for game in games for item in (game.a, game.b)}
    return ratings, min_max_rewards(ratings, rated, request.reward_min, request.reward_max)
