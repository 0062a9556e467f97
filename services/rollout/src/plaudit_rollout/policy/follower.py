"""Keeps one engine at the announced version, through restarts of everything else.

Each step looks at the engine first: one that does not carry this worker's stamp has restarted
(or is new), and holds the base model or worse. Then it looks at what is announced.
"""

import asyncio
import time
from contextlib import suppress

from plaudit.errors import Corrupt, Unavailable
from plaudit.schemas.policy import PolicyAnnouncement
from plaudit.tasks import end
from plaudit.telemetry import get_logger
from plaudit_rollout.engine.client import EngineClient, EngineFailed, EngineLost
from plaudit_rollout.metrics import ENGINE_UP, LOADS, POLICY_VERSION, REFUSALS
from plaudit_rollout.policy.board import PolicyBoard
from plaudit_rollout.policy.loader import Refused, Version
from plaudit_rollout.policy.loaders import make_loaders
from plaudit_rollout.policy.manifest import verify
from plaudit_rollout.policy.presence import Presence, ReplicaState
from plaudit_rollout.policy.weights import Epoch, Weights
from plaudit_rollout.settings import RolloutSettings
from plaudit_rollout.tasks import CLEAN_UP_S

_WAITING_LOG_S = 10.0

log = get_logger(__name__)


class Follower:
    """`wake` has it look at once, e.g. after a request failed."""

    def __init__(
        self,
        settings: RolloutSettings,
        engine: EngineClient,
        board: PolicyBoard,
        weights: Weights,
    ) -> None:
        self.wake = asyncio.Event()
        self._settings = settings
        self._engine = engine
        self._board = board
        self._weights = weights
        self._loaders = make_loaders(settings, engine, weights)
        self._serving: Version | None = None
        self._refused: dict[PolicyAnnouncement, str] = {}
        """The last two, with the reason; they are not tried again."""
        self._announced: PolicyAnnouncement | None = None
        self._logged_at = float("-inf")
        self._presence = Presence(settings.replica_name, board, listed=not settings.pooling)

    async def run(self) -> None:
        """For ever; leaves the list of replicas when it is cancelled.

        Raises:
            Rejected: the engine is no vLLM with its development endpoints.
        """
        helpers = [
            asyncio.create_task(self._board.wake_on_announcement(self.wake)),
            asyncio.create_task(self._presence.report_forever()),
        ]
        try:
            while True:
                await self._step()
                await self._rest()
        finally:
            await end(helpers, again_s=CLEAN_UP_S)
            await self._presence.leave()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.poll_s):
                await self.wake.wait()
        self.wake.clear()

    async def _step(self) -> None:
        try:
            await self._engine.check_health()
            if await self._engine.read_stamp() != self._weights.life:
                await self._adopt()
            await self._follow()
            await self._tell()
        except (EngineLost, EngineFailed) as error:
            await self._lost(error)
        except Unavailable as error:
            log.warning("policy_unknown", reason=str(error))

    async def _adopt(self) -> None:
        """An engine of which nothing is known. Whoever paused it may be dead."""
        self._serving = None
        await self._engine.stamp(self._weights.begin_life())
        await self._engine.resume()
        log.info("engine_found", url=self._settings.engine_url)
        ENGINE_UP.set(1)

    async def _lost(self, error: Exception) -> None:
        if self._weights.life:
            log.warning("engine_lost", reason=str(error))
        elif time.monotonic() - self._logged_at > _WAITING_LOG_S:
            log.info("waiting_for_engine", url=self._settings.engine_url)
            self._logged_at = time.monotonic()
        self._weights.lose()
        self._weights.life = ""
        self._serving = None
        ENGINE_UP.set(0)
        POLICY_VERSION.set(-1)
        was_there = self._presence.replica.state != "starting"
        await self._presence.tell(
            None, state="down" if was_there else "starting", version=None, error=str(error)
        )

    async def _follow(self) -> None:
        self._announced = announced = await self._board.announced()
        if announced is None:
            self._serve_base()
            return
        if not self._is_tried(announced):
            await self._try(announced)
        if self._serving is None:
            await self._try_proven(announced)

    def _is_tried(self, announcement: PolicyAnnouncement) -> bool:
        serves = self._serving is not None and self._serving.announcement == announcement
        return serves or announcement in self._refused

    async def _try_proven(self, announced: PolicyAnnouncement) -> None:
        """The newest version is refused and nothing serves: the one before it, if known."""
        proven = await self._board.proven()
        if proven and proven.run_id == announced.run_id and not self._is_tried(proven):
            await self._try(proven)

    def _serve_base(self) -> None:
        """Nobody announced anything: the engine serves as it is, its tokens of no version."""
        if not self._weights.available.is_set():
            self._weights.begin_epoch(Epoch(None))
            self._weights.serve()

    async def _try(self, announced: PolicyAnnouncement) -> None:
        self._leave_other_run(announced)
        await self._tell(loading=True)
        try:
            version = await self._verified(announced)
            await self._loaders.load(version, self._serving)
        except Refused as refusal:
            self._refuse(announced, refusal)
            return
        self._serving = version
        LOADS.inc()
        self._presence.count_load(self._loaders.pause_s)
        log.info("version_serves", version=announced.version, pause_s=self._loaders.pause_s)
        await self._tell()
        if not self._settings.pooling:
            await self._board.set_proven(announced)

    def _leave_other_run(self, announced: PolicyAnnouncement) -> None:
        """A version number means nothing outside of its run."""
        if self._serving and self._serving.announcement.run_id != announced.run_id:
            self._weights.lose()
            self._serving = None

    async def _verified(self, announced: PolicyAnnouncement) -> Version:
        try:
            manifest = await asyncio.to_thread(verify, announced, self._settings.policy_root)
        except Corrupt as error:
            raise Refused("files", str(error)) from error
        return Version(announced, manifest)

    def _refuse(self, announced: PolicyAnnouncement, refusal: Refused) -> None:
        REFUSALS.labels(refusal.reason).inc()
        message = f"version {announced.version} is refused: {refusal.message}"
        log.error("version_refused", version=announced.version, reason=refusal.message)
        self._refused = {**dict(list(self._refused.items())[-1:]), announced: message}
        if not self._weights.available.is_set():
            self._serving = None

    async def _tell(self, *, loading: bool = False) -> None:
        """Publishes what is served, if that changed."""
        serving = self._serving.announcement if self._serving else None
        error = self._refused.get(self._announced) if self._announced else None
        if loading:
            state: ReplicaState = "loading"
        elif error is not None:
            state = "refused"
        else:
            state = "serving" if self._weights.available.is_set() else "starting"
        version = serving.version if serving else None
        POLICY_VERSION.set(-1 if version is None else version)
        run_id = serving.run_id if serving else None
        await self._presence.tell(run_id, state=state, version=version, error=error)
