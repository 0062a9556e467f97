"""An engine that pools, kept at the newest version; its stamp says which weights it holds.

`GET /weight_info` of the engine gives the stamp. One that begins with SERVING_STAMP belongs to one
load of one proven version: whoever reads the same before and after a request knows that the
request met these weights only.
"""

from pathlib import Path
from secrets import token_hex

from plaudit.errors import ConfigError
from plaudit.schemas.policy import SERVING_STAMP, PolicyAnnouncement
from plaudit_rollout.engine.client import EngineClient
from plaudit_rollout.policy.loader import Loader, Prove, Refused, Version


def pooled_prove(engine: EngineClient) -> Prove:
    """Raises ConfigError where there is no numpy."""
    try:
        from plaudit_rollout.policy.pooled_probe import check_pooled_probe
    except ImportError as error:
        raise ConfigError(
            f"pooling = true: the worker cannot prove versions ({error}).",
            fix="pip install 'plaudit-rollout[pooling]'",
        ) from error

    async def prove(version: Version) -> float:
        directory = Path(version.announcement.path)
        return await check_pooled_probe(engine, version.manifest.probe, directory)

    return prove


class PoolingLoader(Loader):
    """Stamps the engine before its weights change, and when they are proven."""

    async def load(self, version: Version, previous: Version | None) -> None:
        await self._stamp("loading:")
        try:
            await super().load(version, previous)
        except Refused:
            if previous is not None and self._weights.settled.is_set():
                await self._stamp_serving(previous.announcement)
            raise
        await self._stamp_serving(version.announcement)

    async def _stamp_serving(self, announcement: PolicyAnnouncement) -> None:
        await self._stamp(f"{SERVING_STAMP}{announcement.run_id}:{announcement.version}:")

    async def _stamp(self, text: str) -> None:
        """The life goes on under another name."""
        stamp = text + token_hex(8)
        await self._engine.stamp(stamp)
        self._weights.life = stamp
