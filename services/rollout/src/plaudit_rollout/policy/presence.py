"""What this replica says of itself in GET /v1/policy."""

import asyncio
import time
from contextlib import suppress
from typing import Literal

from plaudit.errors import Unavailable
from plaudit.schemas.policy import PolicyReplica
from plaudit_rollout.policy.board import PolicyBoard, ReplicaReport

ReplicaState = Literal["starting", "serving", "loading", "refused", "down"]

_REPORT_S = 1.0


class Presence:
    """Says it at once when it changes, and again every second. Redis may be away.

    `listed`: false of an engine that pools. Who reads the list asks who generates.
    """

    def __init__(self, replica_id: str, board: PolicyBoard, *, listed: bool = True) -> None:
        self._board = board
        self._listed = listed
        self._run_id: str | None = None
        self.replica = PolicyReplica(
            replica_id=replica_id, version=None, state="starting", updated_at=time.time()
        )

    def count_load(self, pause_s: float | None) -> None:
        num_loads = self.replica.num_loads + 1
        self.replica = self.replica.model_copy(update={"num_loads": num_loads, "pause_s": pause_s})

    async def tell(
        self, run_id: str | None, *, state: ReplicaState, version: int | None, error: str | None
    ) -> None:
        changed = {"state": state, "version": version, "error": error}
        replica = self.replica.model_copy(update=changed)
        if (replica, run_id) != (self.replica, self._run_id):
            self.replica, self._run_id = replica, run_id
            await self._report()

    async def report_forever(self) -> None:
        while True:
            await self._report()
            await asyncio.sleep(_REPORT_S)

    async def leave(self) -> None:
        if self._listed:
            with suppress(Unavailable):
                await self._board.leave(self.replica.replica_id)

    async def _report(self) -> None:
        if not self._listed:
            return
        self.replica = self.replica.model_copy(update={"updated_at": time.time()})
        with suppress(Unavailable):
            await self._board.report(ReplicaReport(run_id=self._run_id, replica=self.replica))
