"""Calls to the judge service."""

from collections.abc import AsyncIterator, Iterator

from plaudit.client.jobs import JobClient
from plaudit.client.sync import SyncFace, blocking
from plaudit.schemas.common import Lane
from plaudit.schemas.judge import (
    JudgeList,
    PairwiseRequest,
    PairwiseResponse,
    RubricList,
    TournamentRequest,
    TournamentResponse,
)
from plaudit.schemas.judge_calibrate import CalibrateRequest, CalibrateResponse
from plaudit.schemas.judge_reward import JudgeRewardRequest, JudgeRewardResponse
from plaudit.schemas.judge_scores import (
    ListwiseRequest,
    ListwiseResponse,
    PointwiseRequest,
    PointwiseResponse,
)
from plaudit.schemas.judge_statistics import StatisticsRequest, StatisticsResponse
from plaudit.schemas.judge_verdict import (
    MAX_VERDICTS,
    CostReport,
    Order,
    StoredVerdict,
    VerdictPage,
)


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

    async def pointwise(
        self,
        request: PointwiseRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> PointwiseResponse:
        return await self.post(
            "/v1/pointwise",
            request,
            PointwiseResponse,
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
        )

    async def listwise(
        self,
        request: ListwiseRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> ListwiseResponse:
        return await self.post(
            "/v1/listwise",
            request,
            ListwiseResponse,
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

    async def calibrate(
        self,
        request: CalibrateRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> CalibrateResponse:
        """A judge against labels."""
        return await self.post(
            "/v1/calibrate",
            request,
            CalibrateResponse,
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
        )

    async def statistics(
        self, request: StatisticsRequest, *, timeout_s: float | None = None
    ) -> StatisticsResponse:
        """What verdicts say about the judge that gave them."""
        return await self.post("/v1/statistics", request, StatisticsResponse, timeout_s=timeout_s)

    async def stored_statistics(
        self,
        judge: str,
        run_id: str | None = None,
        *,
        lane: Lane | None = None,
        verb: str | None = None,
    ) -> StatisticsResponse:
        """The same of what is stored of a run, or of the requests that had none."""
        asked = {"judge": judge, "run_id": run_id, "lane": lane, "verb": verb}
        params = {name: value for name, value in asked.items() if value is not None}
        return await self.get("/v1/statistics", StatisticsResponse, params=params)

    async def judges(self) -> JudgeList:
        return await self.get("/v1/judges", JudgeList)

    async def rubrics(self) -> RubricList:
        return await self.get("/v1/rubrics", RubricList)

    async def verdicts(
        self,
        run_id: str | None = None,
        *,
        judge: str | None = None,
        lane: Lane | None = None,
        verb: str | None = None,
        order: Order = "oldest",
        after: str | None = None,
        max_verdicts: int = 100,
    ) -> VerdictPage:
        """One page of what is stored; without a `run_id`, of the requests that had none."""
        asked = {
            "run_id": run_id,
            "judge": judge,
            "lane": lane,
            "verb": verb,
            "order": order,
            "after": after,
            "max": max_verdicts,
        }
        params = {name: value for name, value in asked.items() if value is not None}
        return await self.get("/v1/verdicts", VerdictPage, params=params)

    async def export_verdicts(self, run_id: str | None = None) -> AsyncIterator[StoredVerdict]:
        """All that is stored of a run, oldest first, page by page."""
        after: str | None = None
        while True:
            page = await self.verdicts(run_id, after=after, max_verdicts=MAX_VERDICTS)
            for verdict in page.verdicts:
                yield verdict
            if page.next is None:
                return
            after = page.next

    async def costs(self, run_id: str | None = None) -> CostReport:
        """Of a run, or of all requests."""
        params = {"run_id": run_id} if run_id is not None else None
        return await self.get("/v1/costs", CostReport, params=params)

    def sync(self) -> "SyncJudgeClient":
        return SyncJudgeClient(self)


class SyncJudgeClient(SyncFace[JudgeClient]):
    pairwise = blocking(JudgeClient.pairwise)
    pointwise = blocking(JudgeClient.pointwise)
    listwise = blocking(JudgeClient.listwise)
    tournament = blocking(JudgeClient.tournament)
    reward = blocking(JudgeClient.reward)
    calibrate = blocking(JudgeClient.calibrate)
    statistics = blocking(JudgeClient.statistics)
    stored_statistics = blocking(JudgeClient.stored_statistics)
    judges = blocking(JudgeClient.judges)
    rubrics = blocking(JudgeClient.rubrics)
    verdicts = blocking(JudgeClient.verdicts)
    costs = blocking(JudgeClient.costs)
    submit_job = blocking(JudgeClient.submit_job)
    job = blocking(JudgeClient.job)

    def export_verdicts(self, run_id: str | None = None) -> Iterator[StoredVerdict]:
        """As JudgeClient.export_verdicts."""
        after: str | None = None
        while True:
            page = self.verdicts(run_id, after=after, max_verdicts=MAX_VERDICTS)
            yield from page.verdicts
            if page.next is None:
                return
            after = page.next
