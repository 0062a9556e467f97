"""Versions that are adapters: put beside the one that serves, proven, and only then used.

Nothing pauses and nothing in flight changes: a request keeps the adapter that it began with, so
its tokens are of one version. Beneath all adapters of a run lie the same whole weights.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from plaudit.errors import Corrupt, Rejected
from plaudit.schemas.policy import PolicyAnnouncement
from plaudit_rollout.engine.client import EngineClient, EngineFailed
from plaudit_rollout.policy.loader import Refused, Version
from plaudit_rollout.policy.manifest import verify
from plaudit_rollout.policy.probe import ProbeFailed
from plaudit_rollout.policy.weights import Epoch, Weights

ProveAdapter = Callable[[Version, str], Awaitable[float]]
"""Raises ProbeFailed unless the engine's adapter of that name is the version."""


class AdapterLoader:
    """`load` and `leave` raise EngineLost when the engine goes away meanwhile.

    `root`: the weights beneath must lie below it. `num_kept`: adapters that the engine still
    finds by their names, since others than this worker ask it, too.
    """

    def __init__(
        self,
        engine: EngineClient,
        weights: Weights,
        prove: ProveAdapter,
        *,
        root: Path | None,
        num_kept: int,
    ) -> None:
        self._engine = engine
        self._weights = weights
        self._prove = prove
        self._root = root
        self._num_kept = num_kept
        self._beneath: tuple[str, PolicyAnnouncement] | None = None
        """The life of the engine, and the whole weights that were loaded in it for adapters."""
        self._names: list[str] = []

    async def load(self, version: Version, base: PolicyAnnouncement) -> None:
        """Serves `version`, or raises Refused with what served before still serving.

        Where its `base` is not that of the version before, nothing serves after a Refused.
        """
        name = f"v{version.announcement.version}-{token_hex(8)}"
        try:
            await self._put_beneath(base)
            await self._engine.load_adapter(name, version.announcement.path)
            self._names.append(name)
            await self._prove_or_forget(version, name)
        except Corrupt as error:
            raise Refused("files", f"the weights beneath the adapter: {error}") from error
        except ProbeFailed as error:
            raise Refused("probe", str(error)) from error
        except (EngineFailed, Rejected) as error:
            raise Refused("load", str(error)) from error
        self._weights.begin_adapter(Epoch(version.announcement.version, name))
        self._weights.serve()
        await self._forget_old()

    async def leave(self) -> None:
        """Whole weights come next, over which the requests in flight would go on as adapters."""
        if self._beneath is not None:
            await self._stop_all()
            await self._engine.resume()

    async def _prove_or_forget(self, version: Version, name: str) -> None:
        """Others than this worker take what the engine lists last."""
        try:
            await self._prove(version, name)
        except ProbeFailed:
            await self._forget(name)
            raise

    async def _put_beneath(self, base: PolicyAnnouncement) -> None:
        if self._beneath == (self._weights.life, base):
            return
        await asyncio.to_thread(verify, base, self._root)
        self._names.clear()
        await self._stop_all()
        try:
            await self._engine.reload_weights(base.path)
        finally:
            await self._engine.resume()
        self._beneath = (self._weights.life, base)

    async def _stop_all(self) -> None:
        self._beneath = None
        self._weights.lose()
        await self._engine.pause(clear_cache=True)
        await self._engine.abort_all()

    async def _forget_old(self) -> None:
        for name in self._names[: -self._num_kept]:
            if not self._weights.is_used(name):
                await self._forget(name)

    async def _forget(self, name: str) -> None:
        """An adapter that stays is one too many in a list; the version that serves is not."""
        self._names.remove(name)
        with suppress(Rejected, EngineFailed):
            await self._engine.unload_adapter(name)
