"""Which of two answers is better: ask the judge, read its verdicts, count them."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from plaudit.errors import DeadlineExceeded, Rejected
from plaudit.schemas.judge import (
    PairwiseRequest,
    PairwiseResponse,
    RubricStamp,
    Usage,
    Vote,
    Winner,
)
from plaudit.telemetry import get_logger
from plaudit_judge import metrics
from plaudit_judge.calls import Calls
from plaudit_judge.chance import draw
from plaudit_judge.judges.base import Case, Judge, Opinion, Scores
from plaudit_judge.origin import Origin
from plaudit_judge.parse import Seat
from plaudit_judge.prompt import extract_prompt_text
from plaudit_judge.rubric import Rubric
from plaudit_judge.together import together

log = get_logger(__name__)
POINTS_OF_A: dict[Winner, float] = {"a": 1.0, "tie": 0.5, "b": 0.0}


@dataclass(frozen=True)
class Bench:
    """A judge, the rubric it judges by, whom for, and the time there is for one request."""

    calls: Calls
    rubric: Rubric
    origin: Origin
    deadline_s: float
    """On the clock of time.monotonic."""

    @property
    def judge(self) -> Judge:
        return self.calls.judge

    def stamp(self) -> RubricStamp | None:
        return self.rubric.stamp() if self.judge.reads_rubric else None

    def time_left_s(self) -> float:
        """Raises DeadlineExceeded when there is none."""
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0.0:
            raise DeadlineExceeded(
                f"judge {self.judge.name!r} had no time left for this request.",
                fix="raise deadline_s of the judge service, or add workers or engines.",
            )
        return left_s


async def judge_pair(
    bench: Bench, request: PairwiseRequest, swapped: bool | None = None
) -> PairwiseResponse:
    """`swapped` asks in that order only, instead of those that the request says.

    Raises Rejected (the pair can never be judged) and Unavailable (not by the deadline).
    """
    if request.a == request.b:
        metrics.IDENTICAL_PAIRS.labels(bench.judge.name).inc()
        return PairwiseResponse(
            winner="tie", p_a=0.5, votes=[], rubric=bench.stamp(), usage=Usage()
        )
    orders = _orders(request) if swapped is None else [swapped]
    num_votes = request.votes
    if bench.judge.is_symmetric:
        orders, num_votes = orders[:1], 1
    polls = (partial(_poll, bench, request, order, n) for order in orders for n in range(num_votes))
    answers = await together(polls, bench.calls.max_concurrency)
    votes = [vote for vote, _ in answers]
    by_order = [[v.winner for v in votes if v.swapped == order] for order in orders]
    return PairwiseResponse(
        winner=decide(by_order),
        p_a=share_of_a(vote.winner for vote in votes),
        votes=votes,
        rubric=bench.stamp(),
        usage=add_usage(usage for _, usage in answers),
    )


async def try_pair(
    bench: Bench, request: PairwiseRequest, swapped: bool | None = None
) -> PairwiseResponse:
    """One of many pairs: if it can never be judged it has no winner, is counted, and ends nothing.

    Raises Unavailable: not by the deadline.
    """
    try:
        return await judge_pair(bench, request, swapped)
    except Rejected as error:
        metrics.FAILED_COMPARISONS.labels(bench.judge.name).inc()
        log.warning("comparison_failed", judge=bench.judge.name, reason=error.message)
        return PairwiseResponse(winner=None, p_a=None, votes=[], usage=Usage())


def _orders(request: PairwiseRequest) -> list[bool]:
    """The orders to ask in; True means that b is shown first."""
    if request.swap:
        return [False, True]
    prompt = extract_prompt_text(request.prompt)
    return [bool(draw(request.seed, "order", prompt, request.a, request.b) & 1)]


async def _poll(
    bench: Bench, request: PairwiseRequest, swapped: bool, number: int
) -> tuple[Vote, Usage]:
    """One call of the judge."""
    first, second = (request.b, request.a) if swapped else (request.a, request.b)
    case = Case(
        request.prompt, first, second, request.reference, bench.rubric, request.seed, number
    )
    use_cache = request.cache and request.votes == 1
    opinion = await bench.calls.compare(case, bench.origin, bench.time_left_s, use_cache=use_cache)
    return _vote(opinion, swapped), _usage(opinion)


def _vote(opinion: Opinion, swapped: bool) -> Vote:
    panel = [
        one.model_copy(update={"winner": swap_winner(one.winner) if swapped else one.winner})
        for one in opinion.panel
    ]
    return Vote(
        winner=seat_to_winner(opinion.seat, swapped),
        swapped=swapped,
        text=opinion.reply.text,
        policy_version=opinion.reply.policy_version,
        disagreement=opinion.disagreement,
        panel=panel,
    )


def _usage(opinion: Opinion) -> Usage:
    return usage_of(opinion, unparsed=opinion.seat is None, first_position_wins=opinion.seat == "A")


def swap_winner(winner: Winner | None) -> Winner | None:
    """The same verdict when a and b change names."""
    match winner:
        case "a":
            return "b"
        case "b":
            return "a"
    return winner


def seat_to_winner(seat: Seat | None, swapped: bool) -> Winner | None:
    if seat is None or seat == "tie":
        return seat
    return "a" if (seat == "A") != swapped else "b"


def decide(by_order: Sequence[Sequence[Winner | None]]) -> Winner | None:
    """The winner in each order by majority; orders that disagree make a tie.

    Unparsed votes are excluded: an order without a parsed vote has no say, and a pair without one
    has no winner.
    """
    winners = {majority(votes) for votes in by_order} - {None}
    if not winners:
        return None
    return winners.pop() if len(winners) == 1 else "tie"


def majority(votes: Iterable[Winner | None]) -> Winner | None:
    """The most frequent parsed vote; a tie when there are several."""
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        return None
    if counts["a"] == counts["b"]:
        return "tie"
    winner: Winner = "a" if counts["a"] > counts["b"] else "b"
    return winner if counts[winner] > counts["tie"] else "tie"


def share_of_a(winners: Iterable[Winner | None]) -> float | None:
    """The share of the parsed votes that a won, a tie counting one half."""
    scores = [POINTS_OF_A[winner] for winner in winners if winner is not None]
    return sum(scores) / len(scores) if scores else None


def usage_of(said: Opinion | Scores, *, unparsed: int, first_position_wins: int = 0) -> Usage:
    """What one answer of the judge cost, and what is counted of it."""
    reply = said.reply
    return Usage(
        calls=said.calls,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        cached_tokens=reply.cached_tokens,
        cache_write_tokens=reply.cache_write_tokens,
        unparsed=int(unparsed),
        first_position_wins=int(first_position_wins),
        cache_hits=int(said.cache_hit),
        cost_usd=reply.cost_usd,
        unpriced_calls=reply.unpriced_calls,
    )


def add_usage(usages: Iterable[Usage]) -> Usage:
    total: Counter[str] = Counter()
    for usage in usages:
        total.update(usage.model_dump())
    return Usage(**total)
