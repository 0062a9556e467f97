"""The worker of one judge: leases requests from its queue and judges them."""

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from functools import partial

from redis.asyncio import Redis

from plaudit.errors import DeadlineExceeded, PlauditError, Rejected
from plaudit.queue import FailJob, Lease, Worker, WorkQueue
from plaudit.schemas.judge import PairwiseRequest, TournamentRequest
from plaudit.schemas.judge_calibrate import CalibrateRequest
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit.schemas.judge_scores import ListwiseRequest, PointwiseRequest
from plaudit.service.redis import connect
from plaudit.telemetry import get_logger
from plaudit_judge.cache import open_cache
from plaudit_judge.calibrate import calibrate
from plaudit_judge.calls import Calls
from plaudit_judge.jobs import Failure, JudgeJob, Response, decode_job, origin_of
from plaudit_judge.judges.base import Judge
from plaudit_judge.judges.make import make_judge
from plaudit_judge.ledger.budgets import Budgets
from plaudit_judge.ledger.ledger import Ledger
from plaudit_judge.ledger.till import Till
from plaudit_judge.listwise import score_responses
from plaudit_judge.metrics import begin_at_zero
from plaudit_judge.pairwise import Bench, judge_pair
from plaudit_judge.pointwise import score_response
from plaudit_judge.rewarding import give_rewards
from plaudit_judge.rubric import Rubric
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.settings import JudgeSettings, queue_names
from plaudit_judge.together import together
from plaudit_judge.tournament import run_tournament

log = get_logger(__name__)
_GRACE_S = 1.0
"""After the deadline, for what the judge itself says about it, which is more."""


class Clerk:
    """Handles leases. What can be said about a failure goes into the job, never a verdict."""

    def __init__(
        self,
        calls: Calls,
        rubrics: Mapping[str, Rubric],
        deadline_s: float,
        till: Till,
    ) -> None:
        self._calls = calls
        self._judge = calls.judge
        self._rubrics = rubrics
        self._deadline_s = deadline_s
        self._till = till

    async def handle(self, lease: Lease) -> bytes:
        """Raises FailJob; the caller's retry with the same key queues a retryable one anew."""
        try:
            job = decode_job(lease.payload)
            async with self._till.open_for(lease.job_id, job.request, job.caller):
                response = await self._judge_in_time(job)
        except PlauditError as error:
            raise FailJob(Failure.of(error).model_dump_json()) from error
        return response.model_dump_json().encode()

    async def _judge_in_time(self, job: JudgeJob) -> Response:
        try:
            async with asyncio.timeout(self._deadline_s + _GRACE_S):
                return await self._decide(job)
        except TimeoutError:
            raise DeadlineExceeded(
                f"judge {self._judge.name!r} was not done after deadline_s = {self._deadline_s:g}.",
                fix="Raise deadline_s of the judge service (batch_deadline_s of a judge that asks "
                "in batches), or add workers or engines.",
            ) from None

    async def _decide(self, job: JudgeJob) -> Response:
        request = job.request
        if isinstance(request, JudgeRewardRequest):
            return await give_rewards(self._calls, request, origin_of(job), self._deadline_s)
        bench = Bench(
            calls=self._calls,
            rubric=self._rubric(request.rubric),
            origin=origin_of(job),
            deadline_s=time.monotonic() + self._deadline_s,
        )
        match request:
            case PairwiseRequest():
                return await judge_pair(bench, request)
            case PointwiseRequest():
                return await score_response(bench, request)
            case ListwiseRequest():
                return await score_responses(bench, request)
            case TournamentRequest():
                return await run_tournament(bench, request)
            case CalibrateRequest():
                return await calibrate(bench, request)

    def _rubric(self, name: str) -> Rubric:
        if name not in self._rubrics:
            raise Rejected(
                f"rubric: this worker has no {name!r}.",
                fix="Give the API and the workers the same rubric_dir.",
            )
        return self._rubrics[name]


async def work(settings: JudgeSettings, name: str, stop: asyncio.Event) -> None:
    """Judges until `stop`. Raises ConfigError: no such judge, or its key is missing."""
    redis = connect(settings.redis_url)
    judge = make_judge(settings, name, redis)
    begin_at_zero(name)
    cache = open_cache(settings, judge, redis)
    ledger = Ledger(settings, redis)
    calls = Calls(judge, settings.judges[name].max_concurrency, cache, ledger)
    rubrics = load_rubrics(settings.rubric_dir)
    till = Till(Budgets(settings, redis, rubrics), ledger)
    clerk = Clerk(calls, rubrics, settings.deadline_of(name), till)
    try:
        await _warn_if_unavailable(judge)
        async with ledger:
            lanes = queue_names(name)
            works = (partial(_work_off, settings, redis, lane, clerk, stop) for lane in lanes)
            await together(works, limit=len(lanes))
    finally:
        await judge.aclose()
        await redis.aclose()


async def _work_off(
    settings: JudgeSettings, redis: Redis, queue_name: str, clerk: Clerk, stop: asyncio.Event
) -> None:
    """One lane, with leases of its own: one that is full keeps none from the other."""
    queue = WorkQueue(redis, queue_name, settings.queue_options())
    try:
        await Worker(
            queue,
            clerk.handle,
            worker_id=f"{socket.gethostname()}-{os.getpid()}",
            concurrency=settings.worker_concurrency,
            drain_timeout_s=settings.drain_timeout_s,
        ).run(stop)
    finally:
        await queue.aclose()


async def _warn_if_unavailable(judge: Judge) -> None:
    """E.g. the endpoint lacks the model. It may get it yet, so the worker goes on."""
    info = await judge.info()
    if not info.available:
        log.warning("judge_unavailable", judge=judge.name, reason=info.reason)
