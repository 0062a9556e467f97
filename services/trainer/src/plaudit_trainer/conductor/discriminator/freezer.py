"""Keeps the discriminator as it is while the policy is evaluated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plaudit.client import RewardClient
from plaudit.errors import ConfigError, NotFound, PlauditError
from plaudit.schemas.discriminator import DiscriminatorFreeze
from plaudit.tasks import end
from plaudit.telemetry import get_logger

LEASE_S = 120.0
"""After so long, a conductor that died holds it no longer."""
_AGAIN_S = 0.1

log = get_logger(__name__)


class Freezer:
    """In the name of one run. A freeze that cannot be had is told in the log: others may teach."""

    def __init__(self, client: RewardClient, model: str, run_id: str) -> None:
        self._client = client
        self._model = model
        self._owner = f"{run_id[:75]}.eval"

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Raises ConfigError when there is no such discriminator."""
        await self._ask(frozen=True)
        renewing = asyncio.create_task(self._renew_forever())
        try:
            yield
        finally:
            await end([renewing], again_s=_AGAIN_S)
            await self._ask(frozen=False)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            await self._ask(frozen=True)

    async def _ask(self, *, frozen: bool) -> None:
        freeze = DiscriminatorFreeze(
            discriminator=self._model, owner=self._owner, frozen=frozen, lease_s=LEASE_S
        )
        try:
            await self._client.freeze_discriminator(freeze)
        except NotFound as error:
            raise ConfigError(error.message, fix=error.fix) from error
        except PlauditError as error:
            log.warning("discriminator_freeze_failed", frozen=frozen, reason=str(error))
