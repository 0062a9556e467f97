"""Calls to the reward service."""

from plaudit.client.jobs import JobClient
from plaudit.client.sync import SyncFace, blocking
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

    def sync(self) -> "SyncRewardClient":
        return SyncRewardClient(self)


class SyncRewardClient(SyncFace[RewardClient]):
    score = blocking(RewardClient.score)
    rewards = blocking(RewardClient.rewards)
    submit_job = blocking(RewardClient.submit_job)
    job = blocking(RewardClient.job)
