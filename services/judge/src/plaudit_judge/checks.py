"""What a request is checked for before it is queued, besides who asks."""

from collections.abc import Mapping, Sequence
from typing import Any

from plaudit.errors import Rejected
from plaudit.schemas.judge import Mode, PairwiseRequest, TournamentRequest
from plaudit.schemas.judge_calibrate import CalibrateRequest
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit.schemas.judge_scores import ListwiseRequest, PointwiseRequest
from plaudit_judge.grading import check_gives_scores
from plaudit_judge.jobs import Request
from plaudit_judge.prompt import extract_prompt_text
from plaudit_judge.questions import questions_of
from plaudit_judge.rewarding import check_gives_rewards
from plaudit_judge.rubric import Rubric, check_mode
from plaudit_judge.settings import JudgeSettings
from plaudit_judge.tournament import check_tournament

_RubricRequest = PairwiseRequest | PointwiseRequest | ListwiseRequest | TournamentRequest


def check_request(settings: JudgeSettings, rubrics: Mapping[str, Rubric], request: Request) -> None:
    """Of a judge that exists. Raises Rejected: this can never be judged."""
    if isinstance(request, CalibrateRequest):
        _check_calibrate(settings, rubrics, request)
        return
    extract_prompt_text(request.prompt)
    match request:
        case JudgeRewardRequest():
            check_gives_rewards(settings, request.judge)
            return
        case TournamentRequest():
            check_tournament(request)
        case PointwiseRequest() | ListwiseRequest():
            check_gives_scores(settings, request.judge)
        case PairwiseRequest():
            pass
    check_known("rubric", request.rubric, rubrics)
    if settings.judges[request.judge].reads_rubric:
        _check_rubric(rubrics, request)


def _check_calibrate(
    settings: JudgeSettings, rubrics: Mapping[str, Rubric], request: CalibrateRequest
) -> None:
    if not request.asks():
        raise Rejected(
            "verdicts, grades: nobody is asked, so that there is no job to wait for.",
            fix="Send them to POST /v1/calibrate.",
        )
    for number, question in enumerate(questions_of(request)):
        try:
            check_request(settings, rubrics, question)
        except Rejected as error:
            raise Rejected(f"item {number}: {error.message}", fix=error.fix) from None


def _check_rubric(rubrics: Mapping[str, Rubric], request: _RubricRequest) -> None:
    mode = _mode_of(request)
    check_mode(rubrics, request.rubric, mode)
    if not isinstance(request, TournamentRequest):
        rubrics[request.rubric].check_reference(mode, request.reference)


def _mode_of(request: _RubricRequest) -> Mode:
    match request:
        case PointwiseRequest():
            return "pointwise"
        case ListwiseRequest():
            return "listwise"
        case PairwiseRequest() | TournamentRequest():
            return "pairwise"


def check_known(field: str, name: str, known: Mapping[str, Any]) -> None:
    """Raises Rejected: it is none of them."""
    if name not in known:
        raise Rejected(f"{field}: there is no {name[:80]!r}; there are {', '.join(sorted(known))}.")


def responses_of(request: Request) -> Sequence[object]:
    """Those of a group; two answers, or one, are none. Of a calibration the items."""
    if isinstance(request, CalibrateRequest):
        return [*request.pairs, *request.responses]
    if isinstance(request, PairwiseRequest | PointwiseRequest):
        return ()
    return request.responses
