"""What the API puts on a judge's queue, and what its worker answers."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from plaudit import errors
from plaudit.errors import PlauditError, Rejected, Unavailable
from plaudit.schemas.common import Contract
from plaudit.schemas.judge import (
    PairwiseRequest,
    PairwiseResponse,
    TournamentRequest,
    TournamentResponse,
)
from plaudit.schemas.judge_calibrate import CalibrateRequest, CalibrateResponse
from plaudit.schemas.judge_reward import JudgeRewardRequest, JudgeRewardResponse
from plaudit.schemas.judge_scores import (
    ListwiseRequest,
    ListwiseResponse,
    PointwiseRequest,
    PointwiseResponse,
)
from plaudit_judge.origin import Origin

Request = (
    PairwiseRequest
    | PointwiseRequest
    | ListwiseRequest
    | TournamentRequest
    | JudgeRewardRequest
    | CalibrateRequest
)
Response = (
    PairwiseResponse
    | PointwiseResponse
    | ListwiseResponse
    | TournamentResponse
    | JudgeRewardResponse
    | CalibrateResponse
)
_MAX_MESSAGE_CHARS = 1500
"""Well under what a queue keeps of an error, so that it stays readable JSON."""
_KINDS: dict[str, type[PlauditError]] = {
    kind.__name__: kind
    for kind in (
        errors.Rejected,
        errors.BodyTooLarge,
        errors.BudgetExceeded,
        errors.Unavailable,
        errors.QueueFull,
        errors.DeadlineExceeded,
    )
}


class _Job(Contract):
    caller: str | None = None
    """The name of the API key that the request came with; None for a plain one, or none."""


class PairwiseJob(_Job):
    verb: Literal["pairwise"] = "pairwise"
    request: PairwiseRequest


class PointwiseJob(_Job):
    verb: Literal["pointwise"] = "pointwise"
    request: PointwiseRequest


class ListwiseJob(_Job):
    verb: Literal["listwise"] = "listwise"
    request: ListwiseRequest


class TournamentJob(_Job):
    verb: Literal["tournament"] = "tournament"
    request: TournamentRequest


class RewardJob(_Job):
    verb: Literal["reward"] = "reward"
    request: JudgeRewardRequest


class CalibrateJob(_Job):
    verb: Literal["calibrate"] = "calibrate"
    request: CalibrateRequest


JudgeJob = PairwiseJob | PointwiseJob | ListwiseJob | TournamentJob | RewardJob | CalibrateJob
_ENCODER: TypeAdapter[Any] = TypeAdapter(Any)
_JOB: TypeAdapter[JudgeJob] = TypeAdapter(Annotated[JudgeJob, Field(discriminator="verb")])


@dataclass(frozen=True)
class Verb:
    """`POST /v1/<name>`, and a job of that name."""

    name: str
    summary: str
    request: type[Request]
    response: type[Response]


VERBS = (
    Verb("pairwise", "Compare two answers", PairwiseRequest, PairwiseResponse),
    Verb("pointwise", "Score an answer by a rubric", PointwiseRequest, PointwiseResponse),
    Verb("listwise", "Score several answers side by side", ListwiseRequest, ListwiseResponse),
    Verb(
        "tournament",
        "Rank the answers of a group",
        TournamentRequest,
        TournamentResponse,
    ),
    Verb(
        "reward",
        "A reward for each answer to one prompt",
        JudgeRewardRequest,
        JudgeRewardResponse,
    ),
    Verb("calibrate", "A judge against labels", CalibrateRequest, CalibrateResponse),
)
_NAMES = {verb.request: verb.name for verb in VERBS}


def encode_job(request: Request, caller: str | None = None) -> bytes:
    job = {"verb": _NAMES[type(request)], "caller": caller, "request": request}
    return _ENCODER.dump_json(job)


def decode_job(payload: bytes) -> JudgeJob:
    """Raises Rejected: the API and the worker do not run the same version."""
    try:
        return _JOB.validate_json(payload)
    except ValidationError as error:
        raise Rejected(
            f"The queued request is not understood by this worker ({error.error_count()} errors).",
            fix="Run the same version of the judge API and its workers.",
        ) from None


def origin_of(job: JudgeJob) -> Origin:
    request = job.request
    return Origin(job.verb, request.lane, request.run_id, job.caller)


class Failure(Contract):
    """How a job failed, so that the API can raise it as the worker did."""

    kind: str
    message: str
    fix: str | None = None

    @classmethod
    def of(cls, error: PlauditError) -> "Failure":
        kind = next((k.__name__ for k in type(error).__mro__ if k.__name__ in _KINDS), "Rejected")
        return cls(
            kind=kind,
            message=error.message[:_MAX_MESSAGE_CHARS],
            fix=error.fix[:_MAX_MESSAGE_CHARS] if error.fix else None,
        )

    def error(self) -> PlauditError:
        return _KINDS.get(self.kind, Unavailable)(self.message, fix=self.fix)


def failure_of(text: str | None) -> Failure:
    """A text that is no Failure comes from the queue itself: deliveries used up, cancelled."""
    try:
        return Failure.model_validate_json(text or "")
    except ValidationError:
        return Failure(
            kind="Unavailable", message=f"The request was given up: {text or 'no reason recorded'}"
        )
