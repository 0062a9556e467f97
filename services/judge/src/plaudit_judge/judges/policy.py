"""Which policy version the rollout engines serve, asked at most once a second."""

import asyncio
import time
from dataclasses import dataclass

from plaudit.client import ClientOptions, RolloutClient
from plaudit.errors import PlauditError
from plaudit.schemas.policy import PolicyState

_CACHE_S = 1.0
_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class PolicySeen:
    """`version` is None when unknown, or while the engines differ."""

    version: int | None = None
    cache_salt: str | None = None
    """Differs whenever other weights are served; None when unknown."""


class PolicyWatch:
    """Never raises: a judge goes on without knowing its version."""

    def __init__(self, rollout: RolloutClient) -> None:
        self._rollout = rollout
        self._lock = asyncio.Lock()
        self._seen = PolicySeen()
        self._asked_at_s = float("-inf")

    async def current(self) -> PolicySeen:
        if time.monotonic() - self._asked_at_s < _CACHE_S:
            return self._seen
        async with self._lock:
            if time.monotonic() - self._asked_at_s >= _CACHE_S:
                self._seen = await self._ask()
                self._asked_at_s = time.monotonic()
            return self._seen

    async def _ask(self) -> PolicySeen:
        try:
            return seen(await self._rollout.policy())
        except PlauditError:
            return PolicySeen()

    async def aclose(self) -> None:
        await self._rollout.aclose()


def watch_policy(rollout_url: str, options: ClientOptions) -> PolicyWatch:
    once = options.model_copy(update={"max_attempts": 1, "timeout_s": _TIMEOUT_S})
    return PolicyWatch(RolloutClient(rollout_url, once))


def seen(state: PolicyState) -> PolicySeen:
    """What the replicas that hold weights say."""
    versions = {r.version for r in state.replicas if r.version is not None}
    if not versions:
        return PolicySeen()
    run_id = state.announced.run_id if state.announced else ""
    salt = f"{run_id}:{','.join(str(version) for version in sorted(versions))}"
    return PolicySeen(versions.pop() if len(versions) == 1 else None, salt)
