"""Updates on their way: jobs of the pool `model`, told from requests to score by their id."""

import asyncio
from dataclasses import dataclass
from hashlib import blake2b
from uuid import uuid4

from pydantic import ValidationError

from plaudit.errors import Conflict, PlauditError, Unavailable
from plaudit.queue import FailJob, Lease, RetryJob
from plaudit.schemas.common import Contract
from plaudit.schemas.discriminator import DiscriminatorUpdate, DiscriminatorUpdated
from plaudit_reward.models.discriminator.freezes import Freezes
from plaudit_reward.models.metrics import (
    DISCRIMINATOR_ACCURACY,
    DISCRIMINATOR_LOSS,
    DISCRIMINATOR_UPDATES,
)
from plaudit_reward.models.pool import ModelPool

_PREFIX = "update."


class Outcome(Contract):
    """What a worker made of an update: `updated`, or why there is nothing to be made of it."""

    updated: DiscriminatorUpdated | None = None
    refused: str | None = None
    is_conflict: bool = False
    fix: str | None = None


def update_id(key: str | None, body: bytes) -> str:
    """The same for the same key and body."""
    if key is None:
        return f"{_PREFIX}{uuid4().hex}"
    return f"{_PREFIX}{key}.{blake2b(body, digest_size=16).hexdigest()}"


def is_update(job_id: str) -> bool:
    return job_id.startswith(_PREFIX)


@dataclass(frozen=True)
class Updates:
    models: ModelPool
    freezes: Freezes
    timeout_s: float

    async def handle(self, lease: Lease) -> bytes:
        """An `Outcome`. Raises FailJob, or RetryJob when another attempt may succeed."""
        try:
            update = DiscriminatorUpdate.model_validate_json(lease.payload)
            async with asyncio.timeout(self.timeout_s):
                outcome = await self._outcome(update, lease.job_id)
        except ValidationError as error:
            raise FailJob(f"the worker does not understand the update: {error}") from error
        except Unavailable as error:
            raise RetryJob(str(error)) from error
        except TimeoutError:
            raise FailJob(f"not done after max_deadline_s = {self.timeout_s:g}") from None
        return outcome.model_dump_json().encode()

    async def _outcome(self, update: DiscriminatorUpdate, update_id: str) -> Outcome:
        """Raises Unavailable."""
        try:
            model = self.models.discriminator(update.discriminator)
            found = await model.learn(update, update_id, self.freezes, self.timeout_s)
        except Unavailable:
            raise
        except PlauditError as error:
            DISCRIMINATOR_UPDATES.labels(_label(self.models, update), "refused").inc()
            is_conflict = isinstance(error, Conflict)
            return Outcome(refused=error.message, fix=error.fix, is_conflict=is_conflict)
        self._count(found)
        return Outcome(updated=found)

    def _count(self, found: DiscriminatorUpdated) -> None:
        outcome = "empty" if found.loss is None else "learned"
        DISCRIMINATOR_UPDATES.labels(found.discriminator, outcome).inc()
        if found.loss is not None and found.accuracy is not None:
            DISCRIMINATOR_LOSS.labels(found.discriminator).set(found.loss)
            DISCRIMINATOR_ACCURACY.labels(found.discriminator).set(found.accuracy)


def _label(models: ModelPool, update: DiscriminatorUpdate) -> str:
    """A name that anybody may send is no label."""
    return update.discriminator if update.discriminator in models.names else "unknown"
