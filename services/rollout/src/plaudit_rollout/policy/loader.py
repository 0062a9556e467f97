"""Putting a version into the engine: pause, load, resume, prove; and back when it is refused."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from plaudit.errors import PlauditError, Rejected
from plaudit.schemas.policy import PolicyAnnouncement, PolicyManifest
from plaudit.telemetry import get_logger
from plaudit_rollout.engine.client import EngineClient, EngineFailed
from plaudit_rollout.metrics import PAUSED_SECONDS
from plaudit_rollout.policy.probe import ProbeFailed
from plaudit_rollout.policy.weights import Epoch, Weights

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """A version whose files were verified."""

    announcement: PolicyAnnouncement
    manifest: PolicyManifest


Prove = Callable[[Version], Awaitable[float]]
"""Raises ProbeFailed unless the engine holds the weights of the version."""


class Refused(PlauditError):
    """The version must not serve. `reason` is a word for metrics."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Loader:
    """All calls raise EngineLost when the engine goes away meanwhile."""

    def __init__(
        self, engine: EngineClient, weights: Weights, prove: Prove, *, recompute_in_flight: bool
    ) -> None:
        self._engine = engine
        self._prove = prove
        self._recompute_in_flight = recompute_in_flight
        self._weights = weights
        self.pause_s: float | None = None
        """How long generation stood still at the last load."""

    async def load(self, version: Version, previous: Version | None) -> None:
        """Serves `version`, or raises Refused with `previous` serving again.

        When there is no `previous`, or it cannot be had back, nothing serves after a Refused.
        """
        self._weights.hold()
        try:
            await self._swap(version)
            await self._prove(version)
        except ProbeFailed as error:
            await self._go_back(previous)
            raise Refused("probe", str(error)) from error
        except (EngineFailed, Rejected) as error:
            await self._go_back(previous)
            raise Refused("load", str(error)) from error
        self._weights.serve()

    async def _swap(self, version: Version) -> None:
        """Requests in flight freeze and go on; their spans get the new epoch."""
        await self._engine.pause(clear_cache=self._recompute_in_flight)
        # why: from answer to answer. A pause takes effect at the end of the step under way, and
        # both take effect just before their answers.
        paused_at = time.monotonic()
        await self._engine.reload_weights(version.announcement.path)
        self._weights.begin_epoch(Epoch(version.announcement.version))
        await self._engine.resume()
        self.pause_s = time.monotonic() - paused_at
        PAUSED_SECONDS.observe(self.pause_s)

    async def _go_back(self, previous: Version | None) -> None:
        """Whatever ran meanwhile ran on weights that nobody vouches for."""
        self._weights.spoil()
        await self._engine.pause(clear_cache=True)
        await self._engine.abort_all()
        if previous is None or not await self._restore(previous):
            self._weights.lose()
            await self._engine.resume()
            return
        self._weights.serve()

    async def _restore(self, previous: Version) -> bool:
        try:
            await self._swap(previous)
            await self._prove(previous)
        except (ProbeFailed, EngineFailed, Rejected) as error:
            log.error("previous_version_lost", reason=str(error))
            return False
        return True
