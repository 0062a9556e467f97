"""What a file of answers says as a whole."""

from collections import Counter
from collections.abc import Iterable
from typing import assert_never

from plaudit.judging.verbs import Response
from plaudit.schemas.judge import PairwiseResponse, TournamentResponse, Usage
from plaudit.schemas.judge_reward import JudgeRewardResponse
from plaudit.schemas.judge_scores import ListwiseResponse, PointwiseResponse

Figures = dict[str, float | int | None]


def figures_of(responses: Iterable[Response]) -> Figures:
    """Counts and means over all answers; what is undefined is None."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for response in responses:
        counts.update(_counts(response))
        sums.update(response.usage.model_dump())
    return _derived(counts) | _costs(sums)


def _counts(response: Response) -> dict[str, float]:
    match response:
        case PairwiseResponse():
            return {_OUTCOMES[response.winner]: 1}
        case PointwiseResponse():
            return _scores([response.score], "scored")
        case ListwiseResponse():
            return _scores(response.scores, "scored")
        case TournamentResponse():
            missing = sum(one.winner is None for one in response.comparisons)
            return {"comparisons": len(response.comparisons), "comparisons_unparsed": missing}
        case JudgeRewardResponse():
            return _scores(response.rewards, "rewarded")
        case _:
            assert_never(response)


_OUTCOMES = {"a": "a_won", "b": "b_won", "tie": "ties", None: "without_verdict"}


def _scores(values: Iterable[float | None], name: str) -> dict[str, float]:
    found = list(values)
    known = [value for value in found if value is not None]
    return {name: len(known), "without_score": len(found) - len(known), "sum_of_scores": sum(known)}


def _derived(counts: Counter[str]) -> Figures:
    figures: Figures = dict(counts)
    if {"a_won", "b_won", "ties", "without_verdict"} & counts.keys():
        figures = {name: counts[name] for name in _OUTCOMES.values()}
        decided = counts["a_won"] + counts["b_won"] + counts["ties"]
        points = counts["a_won"] + 0.5 * counts["ties"]
        figures["win_rate_of_a"] = points / decided if decided else None
    if "sum_of_scores" in figures:
        scored = counts["scored"] + counts["rewarded"]
        del figures["sum_of_scores"]
        figures["mean_score"] = counts["sum_of_scores"] / scored if scored else None
    return figures


def _costs(sums: Counter[str]) -> Figures:
    usage = Usage.model_validate({**Usage().model_dump(), **sums})
    return {
        "calls": usage.calls,
        "unparsed_replies": usage.unparsed,
        "from_cache": usage.cache_hits,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost_usd": usage.cost_usd,
        "unpriced_calls": usage.unpriced_calls,
    }
