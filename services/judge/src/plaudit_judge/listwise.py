"""How good the answers of a group are: all of them scored in one call, side by side."""

from collections.abc import Sequence

from plaudit.schemas.judge_scores import Grade, ListwiseRequest, ListwiseResponse
from plaudit_judge.chance import draw
from plaudit_judge.grading import (
    ask_votes,
    mean_of_parsed,
    num_votes,
    policy_version_of,
    usage_of_scores,
)
from plaudit_judge.judges.base import ScoreCase
from plaudit_judge.pairwise import Bench, add_usage
from plaudit_judge.prompt import extract_prompt_text
from plaudit_judge.ratings.rewards import mean_ranks


async def score_responses(bench: Bench, request: ListwiseRequest) -> ListwiseResponse:
    """Raises Rejected (they can never be judged) and Unavailable (not by the deadline)."""
    orders = [order_of(request, number) for number in range(num_votes(bench, request.votes))]
    cases = [_case(bench, request, order, number) for number, order in enumerate(orders)]
    use_cache = request.cache and request.votes == 1
    votes = await ask_votes(bench, cases, use_cache=use_cache)
    by_vote = [_restored(vote.grades, order) for vote, order in zip(votes, orders, strict=True)]
    by_response = list(zip(*by_vote, strict=True))
    scores = [mean_of_parsed(grade.score for grade in grades) for grades in by_response]
    return ListwiseResponse(
        scores=scores,
        fractions=[mean_of_parsed(grade.fraction for grade in grades) for grades in by_response],
        ranks=_ranks(scores),
        votes=by_vote,
        orders=orders,
        texts=[vote.reply.text for vote in votes],
        policy_version=policy_version_of(votes),
        rubric=bench.stamp(),
        usage=add_usage(usage_of_scores(vote) for vote in votes),
    )


def order_of(request: ListwiseRequest, number: int) -> list[int]:
    """Which response stands in each place in this vote.

    Each vote moves all by one place, so that as many votes as responses show each in each place;
    then another order is drawn.
    """
    size = len(request.responses)
    prompt = extract_prompt_text(request.prompt)
    turn, shift = divmod(number, size)
    drawn = sorted(
        range(size),
        key=lambda item: draw(request.seed, "place", turn, item, prompt, *request.responses),
    )
    return drawn[shift:] + drawn[:shift]


def _case(bench: Bench, request: ListwiseRequest, order: Sequence[int], number: int) -> ScoreCase:
    shown = [request.responses[item] for item in order]
    return ScoreCase(request.prompt, shown, request.reference, bench.rubric, request.seed, number)


def _restored(grades: Sequence[Grade], order: Sequence[int]) -> list[Grade]:
    """From the order shown to that of the request."""
    by_item = dict(zip(order, grades, strict=True))
    return [by_item[item] for item in range(len(order))]


def _ranks(scores: Sequence[float | None]) -> list[float | None]:
    """1 is the best."""
    ranks = mean_ranks(scores)
    return [len(ranks) - ranks[item] if item in ranks else None for item in range(len(scores))]
