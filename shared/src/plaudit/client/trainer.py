"""Calls to the conductor's status API."""

from plaudit.client.http import HttpClient
from plaudit.client.sync import SyncFace, blocking
from plaudit.errors import NotFound
from plaudit.schemas.run import RunStatus


class TrainerClient(HttpClient):
    service = "trainer"

    async def status(self, run_id: str) -> RunStatus:
        """Raises NotFound when the conductor there conducts another run."""
        status = await self.get("/v1/status", RunStatus)
        if status.run_id != run_id:
            raise NotFound(
                f"{self.peer} conducts the run {status.run_id!r}, not {run_id!r}.",
                fix="each run has a conductor, on a port of its own.",
            )
        return status

    def sync(self) -> "SyncTrainerClient":
        return SyncTrainerClient(self)


class SyncTrainerClient(SyncFace[TrainerClient]):
    status = blocking(TrainerClient.status)
