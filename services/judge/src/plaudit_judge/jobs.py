"""What the API puts on a judge's queue, and what its worker answers."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from plaudit import errors
from plaudit.errors import PlauditError, Rejected, Unavailable
from plaudit.schemas.common import Contract
from plaudit.schemas.judge import PairwiseRequest, TournamentRequest
from plaudit.schemas.judge_reward import JudgeRewardRequest

Request = PairwiseRequest | TournamentRequest | JudgeRewardRequest
_MAX_MESSAGE_CHARS = 1500
"""Well under what a queue keeps of an error, so that it stays readable JSON."""
_KINDS: dict[str, type[PlauditError]] = {
    kind.__name__: kind
    for kind in (
        errors.Rejected,
        errors.BodyTooLarge,
        errors.Unavailable,
        errors.QueueFull,
        errors.DeadlineExceeded,
    )
}


class PairwiseJob(Contract):
    verb: Literal["pairwise"] = "pairwise"
    request: PairwiseRequest


class TournamentJob(Contract):
    verb: Literal["tournament"] = "tournament"
    request: TournamentRequest


class RewardJob(Contract):
    verb: Literal["reward"] = "reward"
    request: JudgeRewardRequest


JudgeJob = Annotated[PairwiseJob | TournamentJob | RewardJob, Field(discriminator="verb")]
_JOB: TypeAdapter[PairwiseJob | TournamentJob | RewardJob] = TypeAdapter(JudgeJob)


def encode_job(request: Request) -> bytes:
    job: PairwiseJob | TournamentJob | RewardJob
    match request:
        case PairwiseRequest():
            job = PairwiseJob(request=request)
        case TournamentRequest():
            job = TournamentJob(request=request)
        case JudgeRewardRequest():
            job = RewardJob(request=request)
    return job.model_dump_json().encode()


def decode_job(payload: bytes) -> Request:
    """Raises Rejected: the API and the worker do not run the same version."""
    try:
        return _JOB.validate_json(payload).request
    except ValidationError as error:
        raise Rejected(
            f"The queued request is not understood by this worker ({error.error_count()} errors).",
            fix="Run the same version of the judge API and its workers.",
        ) from None


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
