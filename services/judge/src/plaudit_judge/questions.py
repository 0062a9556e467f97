"""What a request for calibration asks the judge, item by item."""

from typing import Any

from plaudit.schemas.judge import PairwiseRequest
from plaudit.schemas.judge_calibrate import CalibrateRequest
from plaudit.schemas.judge_scores import PointwiseRequest

Question = PairwiseRequest | PointwiseRequest
_RULES = ("judge", "lane", "run_id", "rubric", "votes", "cache", "seed")


def questions_of(request: CalibrateRequest) -> list[Question]:
    """Nothing when the judge's answers are in the request."""
    return [*pair_questions(request), *score_questions(request)]


def pair_questions(request: CalibrateRequest) -> list[PairwiseRequest]:
    rules = _rules(request)
    return [
        PairwiseRequest(
            prompt=pair.prompt,
            a=pair.a,
            b=pair.b,
            reference=pair.reference,
            swap=request.swap,
            **rules,
        )
        for pair in request.pairs
    ]


def score_questions(request: CalibrateRequest) -> list[PointwiseRequest]:
    rules = _rules(request)
    return [
        PointwiseRequest(prompt=one.prompt, response=one.response, reference=one.reference, **rules)
        for one in request.responses
    ]


def _rules(request: CalibrateRequest) -> dict[str, Any]:
    """What all questions have in common."""
    return {name: getattr(request, name) for name in _RULES}
