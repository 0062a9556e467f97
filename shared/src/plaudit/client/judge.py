"""Calls to the judge service."""

from plaudit.client.jobs import JobClient
from plaudit.client.sync import SyncFace, blocking
from plaudit.schemas.judge import (
    JudgeList,
    PairwiseRequest,
    PairwiseResponse,
    RubricList,
    TournamentRequest,
    TournamentResponse,
)
from plaudit.schemas.judge_reward import JudgeRewardRequest, JudgeRewardResponse


class JudgeClient(JobClient):
    service = "judge"

    async def pairwise(
        self,
        request: PairwiseRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> PairwiseResponse:
        return await self.post(
            "/v1/pairwise",
            request,
            PairwiseResponse,
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
        )

    async def tournament(
        self,
        request: TournamentRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> TournamentResponse:
        return await self.post(
            "/v1/tournament",
            request,
            TournamentResponse,
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
        )

    async def reward(
        self,
        request: JudgeRewardRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> JudgeRewardResponse:
        """Comparable only among the responses of one request."""
        return await self.post(
            "/v1/reward",
            request,
            JudgeRewardResponse,
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
        )

    async def judges(self) -> JudgeList:
        return await self.get("/v1/judges", JudgeList)

    async def rubrics(self) -> RubricList:
        return await self.get("/v1/rubrics", RubricList)

    def sync(self) -> "SyncJudgeClient":
        return SyncJudgeClient(self)


class SyncJudgeClient(SyncFace[JudgeClient]):
    pairwise = blocking(JudgeClient.pairwise)
    tournament = blocking(JudgeClient.tournament)
    reward = blocking(JudgeClient.reward)
    judges = blocking(JudgeClient.judges)
    rubrics = blocking(JudgeClient.rubrics)
    submit_job = blocking(JudgeClient.submit_job)
    job = blocking(JudgeClient.job)
