"""Calls to the rollout service."""

from plaudit.client.http import HttpClient
from plaudit.client.sync import SyncFace, blocking
from plaudit.schemas.policy import PolicyAnnouncement, PolicyState
from plaudit.schemas.rollout import (
    FinishedRollouts,
    RolloutAccepted,
    RolloutAck,
    RolloutAcked,
    RolloutRequest,
)


class RolloutClient(HttpClient):
    service = "rollout"

    async def submit(
        self,
        request: RolloutRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> RolloutAccepted:
        """A group id that is outstanding or not acked yet comes back in `existing`."""
        return await self.post(
            "/v1/rollouts",
            request,
            RolloutAccepted,
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
        )

    async def finished(
        self, run_id: str, max_groups: int, wait_s: float, consumer: str = ""
    ) -> FinishedRollouts:
        """Leases finished groups; those that are not acked in time are delivered again.

        A new `consumer` is handed at once what its predecessor had leased and not acked.
        """
        return await self.get(
            "/v1/rollouts",
            FinishedRollouts,
            params={"run_id": run_id, "max": max_groups, "wait": wait_s, "consumer": consumer},
            timeout_s=self.options.timeout_s + wait_s,
        )

    async def ack(self, request: RolloutAck) -> RolloutAcked:
        return await self.post("/v1/rollouts/ack", request, RolloutAcked)

    async def announce(self, announcement: PolicyAnnouncement) -> PolicyState:
        return await self.call("PUT", "/v1/policy", announcement, PolicyState)

    async def policy(self) -> PolicyState:
        return await self.get("/v1/policy", PolicyState)

    def sync(self) -> "SyncRolloutClient":
        return SyncRolloutClient(self)


class SyncRolloutClient(SyncFace[RolloutClient]):
    submit = blocking(RolloutClient.submit)
    finished = blocking(RolloutClient.finished)
    ack = blocking(RolloutClient.ack)
    announce = blocking(RolloutClient.announce)
    policy = blocking(RolloutClient.policy)
