"""`POST /v1/discriminator/update` and `/freeze`: the API's side."""

from dataclasses import dataclass
from typing import Never

from fastapi import FastAPI, Request, Response
from pydantic import ValidationError

from plaudit.errors import Conflict, DeadlineExceeded, NotFound, Rejected, Unavailable
from plaudit.queue import Job, JobRecord, WorkQueue
from plaudit.schemas.discriminator import (
    DiscriminatorFreeze,
    DiscriminatorFrozen,
    DiscriminatorUpdate,
    DiscriminatorUpdated,
)
from plaudit.service import (
    caller_deadline_s,
    idempotency_key,
    json_docs,
    json_response,
    read_model,
)
from plaudit.telemetry import current_traceparent
from plaudit_reward.models.discriminator.freezes import Freezes
from plaudit_reward.models.discriminator.updates import Outcome, update_id
from plaudit_reward.models.spec import DiscriminatorSpec
from plaudit_reward.settings import RewardSettings


def add_discriminator_routes(
    app: FastAPI, queue: WorkQueue, freezes: Freezes, settings: RewardSettings
) -> None:
    desk = UpdateDesk(queue)

    @app.post(
        "/v1/discriminator/update",
        summary="Teach a discriminator",
        **json_docs(DiscriminatorUpdate, DiscriminatorUpdated),
    )
    async def update(request: Request) -> Response:
        deadline_s = caller_deadline_s(request, settings.score_timeout_s, settings.max_deadline_s)
        asked = await read_model(request, DiscriminatorUpdate)
        refuse_unknown(asked.discriminator, settings)
        key = idempotency_key(request)
        return json_response(await desk.update(await request.body(), key, deadline_s))

    @app.post(
        "/v1/discriminator/freeze",
        summary="Keep a discriminator as it is",
        **json_docs(DiscriminatorFreeze, DiscriminatorFrozen),
    )
    async def freeze(request: Request) -> Response:
        asked = await read_model(request, DiscriminatorFreeze)
        refuse_unknown(asked.discriminator, settings)
        return json_response(await freezes.change(asked))


def refuse_unknown(name: str, settings: RewardSettings) -> None:
    """Raises NotFound."""
    known = [key for key, spec in settings.models.items() if isinstance(spec, DiscriminatorSpec)]
    if name not in known:
        raise NotFound(
            f"no discriminator is called {name!r}; configured: {', '.join(known) or 'none'}.",
            fix="add a table [reward.models.NAME] of kind discriminator to plaudit.toml",
        )


@dataclass(frozen=True)
class UpdateDesk:
    queue: WorkQueue

    async def update(self, body: bytes, key: str | None, deadline_s: float) -> DiscriminatorUpdated:
        """Raises Conflict while it is frozen, and other errors that say whether to try again.

        A step that a caller no longer waits for is made all the same; with the same key the caller
        finds its answer.
        """
        job_id = update_id(key, body)
        await self.queue.submit(Job(job_id, body, "train", current_traceparent()))
        record = await self.queue.wait(job_id, deadline_s)
        if record is None:
            raise Unavailable("the pool 'model' lost the update; send it again.")
        if not record.finished:
            raise DeadlineExceeded(
                f"the pool 'model' had not made the update after {deadline_s:g} s "
                f"({record.status}).",
                fix="start its workers, wait longer, and send it again with its Idempotency-Key",
            )
        outcome = _outcome(record)
        if key is None or outcome is None or outcome.updated is None:
            # Kept is what the same key asks for again, and nothing that another try may better.
            await self.queue.forget([job_id])
        if outcome is None:
            _raise_failed(record)
        return _answer(outcome)


def _outcome(record: JobRecord) -> Outcome | None:
    """None when no worker came to an end with it."""
    if record.status != "done" or record.result is None:
        return None
    try:
        return Outcome.model_validate_json(record.result)
    except ValidationError:
        return None


def _answer(outcome: Outcome) -> DiscriminatorUpdated:
    if outcome.updated is not None:
        return outcome.updated
    kind = Conflict if outcome.is_conflict else Rejected
    raise kind(outcome.refused or "the update was refused", fix=outcome.fix)


def _raise_failed(record: JobRecord) -> Never:
    reason = (record.error or "no reason recorded").strip().rpartition("\n")[2]
    raise Unavailable(f"the pool 'model' gave the update up ({record.status}): {reason}")
