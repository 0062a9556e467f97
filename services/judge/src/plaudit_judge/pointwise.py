"""How good one answer is: ask the judge for scores, and average its votes."""

from plaudit.schemas.judge_scores import PointwiseRequest, PointwiseResponse
from plaudit_judge.grading import (
    ask_votes,
    mean_of_parsed,
    num_votes,
    policy_version_of,
    usage_of_scores,
)
from plaudit_judge.judges.base import ScoreCase
from plaudit_judge.pairwise import Bench, add_usage


async def score_response(bench: Bench, request: PointwiseRequest) -> PointwiseResponse:
    """Raises Rejected (it can never be judged) and Unavailable (not by the deadline)."""
    cases = [
        ScoreCase(
            request.prompt,
            [request.response],
            request.reference,
            bench.rubric,
            request.seed,
            number,
        )
        for number in range(num_votes(bench, request.votes))
    ]
    use_cache = request.cache and request.votes == 1
    votes = await ask_votes(bench, cases, use_cache=use_cache)
    grades = [vote.grades[0] for vote in votes]
    told = next((grade for grade in grades if grade.score is not None), grades[0])
    return PointwiseResponse(
        score=mean_of_parsed(grade.score for grade in grades),
        fraction=mean_of_parsed(grade.fraction for grade in grades),
        reason=told.reason,
        votes=grades,
        policy_version=policy_version_of(votes),
        rubric=bench.stamp(),
        usage=add_usage(usage_of_scores(vote) for vote in votes),
    )
