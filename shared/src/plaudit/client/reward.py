"""Calls to the reward service."""

from plaudit.client.jobs import JobClient
from plaudit.client.sync import SyncFace, blocking
from plaudit.schemas.discriminator import (
    DiscriminatorFreeze,
    DiscriminatorFrozen,
    DiscriminatorUpdate,
    DiscriminatorUpdated,
)
from plaudit.schemas.reward import RewardList, ScoreRequest, ScoreResponse


class RewardClient(JobClient):
    service = "reward"

    async def score(
        self,
        request: ScoreRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> ScoreResponse:
        return await self.post(
            "/v1/score",
            request,
            ScoreResponse,
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
        )

    async def rewards(self) -> RewardList:
        return await self.get("/v1/rewards", RewardList)

    async def update_discriminator(
        self,
        update: DiscriminatorUpdate,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> DiscriminatorUpdated:
        """Raises Conflict while it is frozen.

        With a key of the caller's own, such as one of run and step, the same update is one step
        also after the caller has been restarted.
        """
        return await self.post(
            "/v1/discriminator/update",
            update,
            DiscriminatorUpdated,
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
        )

    async def freeze_discriminator(self, freeze: DiscriminatorFreeze) -> DiscriminatorFrozen:
        """Take, renew or give up one owner's freeze."""
        return await self.post("/v1/discriminator/freeze", freeze, DiscriminatorFrozen)

    def sync(self) -> "SyncRewardClient":
        return SyncRewardClient(self)


class SyncRewardClient(SyncFace[RewardClient]):
    score = blocking(RewardClient.score)
    rewards = blocking(RewardClient.rewards)
    update_discriminator = blocking(RewardClient.update_discriminator)
    freeze_discriminator = blocking(RewardClient.freeze_discriminator)
    submit_job = blocking(RewardClient.submit_job)
    job = blocking(RewardClient.job)
