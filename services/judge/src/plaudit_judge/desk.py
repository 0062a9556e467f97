"""The API's side of the queues: check a request, queue it, wait for its answer."""

import hashlib
import json
from functools import partial

from redis.asyncio import Redis

from plaudit.errors import (
    BudgetExceeded,
    Conflict,
    DeadlineExceeded,
    PlauditError,
    Rejected,
    Unavailable,
)
from plaudit.queue import Job, JobRecord, WorkQueue
from plaudit.schemas.job import JobView
from plaudit.schemas.judge import JudgeInfo, RubricInfo
from plaudit.telemetry import current_traceparent
from plaudit_judge.access import check_access
from plaudit_judge.checks import check_known, check_request, responses_of
from plaudit_judge.jobs import Request, encode_job, failure_of
from plaudit_judge.judges.make import describe_judge, missing_part
from plaudit_judge.ledger.budgets import Budgets
from plaudit_judge.ledger.holds import Hold
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.settings import JudgeSettings, queue_name, queue_names
from plaudit_judge.together import together

_FAILED = ("failed", "dead", "cancelled")
_KEY_TTL_S = 86_400
"""How long it is remembered at least which request a job id stands for."""


class Desk:
    """`redis` stays open when the desk is closed."""

    def __init__(self, settings: JudgeSettings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._rubrics = load_rubrics(settings.rubric_dir)
        self._budgets = Budgets(settings, redis, self._rubrics)
        self._missing = {name: missing_part(settings, name) for name in settings.judges}
        self.queues = {
            name: WorkQueue(redis, name, settings.queue_options())
            for judge in settings.judges
            for name in queue_names(judge)
        }

    async def aclose(self) -> None:
        for queue in self.queues.values():
            await queue.aclose()

    async def judges(self) -> list[JudgeInfo]:
        names = sorted(self._settings.judges)
        return await together(
            (partial(describe_judge, self._settings, name) for name in names), limit=len(names)
        )

    def rubrics(self) -> list[RubricInfo]:
        return [self._rubrics[name].info() for name in sorted(self._rubrics)]

    async def answer(
        self, request: Request, job_id: str, wait_s: float, caller: str | None
    ) -> bytes:
        """The response as JSON. Raises what the worker raised; DeadlineExceeded after `wait_s`.

        Rejected: this judge answers jobs only.
        """
        self._check_answers_at_once(request.judge)
        await self.submit(request, job_id, caller)
        record = await self._queue_of(request).wait(job_id, wait_s)
        if record is None:
            raise Unavailable(f"The job {job_id!r} is gone.", fix="Send the request again.")
        if not record.finished:
            raise DeadlineExceeded(
                f"judge {request.judge!r} had not answered after {wait_s:g} s ({record.status}).",
                fix=f"Send it again with the same Idempotency-Key; if it stays {record.status}, "
                f"check that `plaudit-judge worker --judge {request.judge}` runs.",
            )
        if record.result is None:
            raise failure_of(record.error).error()
        return record.result

    async def submit(self, request: Request, job_id: str, caller: str | None) -> None:
        """Raises Rejected, Conflict (the job id stands for another request), QueueFull.

        Forbidden and BodyTooLarge when `caller`, a named key, may not ask for this. BudgetExceeded
        when there is no money left for it.
        """
        self._check_access(request, caller)
        self._check(request)
        payload = encode_job(request, caller)
        await self._claim(job_id, request, payload)
        job = Job(job_id, payload, request.lane, current_traceparent())
        hold = self._budgets.hold_for(job_id, request, caller)
        if hold is None:
            await _queue(self._queue_of(request), job)
        else:
            await self._queue_held(self._queue_of(request), job, hold)

    def _queue_of(self, request: Request) -> WorkQueue:
        return self.queues[queue_name(request.judge, request.lane)]

    async def _queue_held(self, queue: WorkQueue, job: Job, hold: Hold) -> None:
        """Raises BudgetExceeded, but not for a job whose result is there."""
        record = await queue.record(job.job_id)
        if record is not None and not _may_run_again(record):
            return
        await self._budgets.take(hold)
        try:
            await _queue(queue, job)
        except PlauditError:
            await self._budgets.let_go(hold)
            raise

    async def view(self, job_id: str) -> JobView | None:
        return await self.wait(job_id, 0.0)

    async def wait(self, job_id: str, wait_s: float) -> JobView | None:
        """The job as it is when finished, or after `wait_s`; None when there is no such job."""
        claim: bytes | None = await self._redis.get(_key(job_id))  # type: ignore[assignment]
        queue = self.queues.get(claim.decode().partition(" ")[0]) if claim else None
        record = await queue.wait(job_id, wait_s) if queue else None
        return _view(record) if record else None

    def _check_access(self, request: Request, caller: str | None) -> None:
        check_access(
            self._settings.keys,
            caller,
            judge=request.judge,
            lane=request.lane,
            responses=responses_of(request),
        )

    def _check(self, request: Request) -> None:
        """Raises Rejected, so that a request that cannot succeed never becomes a job."""
        check_known("judge", request.judge, self._settings.judges)
        if reason := self._missing[request.judge]:
            raise Rejected(
                f"judge: {request.judge!r} is not available: {reason}",
                fix="Give the service what is missing, or name another judge (GET /v1/judges).",
            )
        check_request(self._settings, self._rubrics, request)

    def _check_answers_at_once(self, name: str) -> None:
        judge = self._settings.judges.get(name)
        if judge is not None and judge.answers_later:
            raise Rejected(
                f"judge: {name!r} asks in batches (batch = true), which may take a day.",
                fix="Send it as a job to POST /v1/jobs, and fetch it from GET /v1/jobs/{job_id}.",
            )

    async def _claim(self, job_id: str, request: Request, payload: bytes) -> None:
        """Ties the job id to this queue and this request, for all API processes."""
        ttl_s = max(_KEY_TTL_S, round(2.0 * self._settings.deadline_of(request.judge)))
        queue = queue_name(request.judge, request.lane)
        claim = f"{queue} {hashlib.sha256(payload).hexdigest()}".encode()
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(_key(job_id), claim, nx=True, ex=ttl_s)
            pipeline.get(_key(job_id))
            _, found = await pipeline.execute()
        if found != claim:
            raise Conflict(
                "This Idempotency-Key was used for another request.",
                fix="Take a new key for a new request, or send the same request again.",
            )


async def _queue(queue: WorkQueue, job: Job) -> None:
    """A job that may succeed this time is queued anew."""
    submitted = await queue.submit(job)
    if submitted.status in _FAILED:
        record = await queue.record(job.job_id)
        if record is None or _may_run_again(record):
            await queue.forget([job.job_id])
            await queue.submit(job)


def _may_run_again(record: JobRecord) -> bool:
    if record.status not in _FAILED:
        return False
    error = failure_of(record.error).error()
    return error.retryable or isinstance(error, BudgetExceeded)


def _key(job_id: str) -> str:
    return f"plaudit:judge:job:{job_id}"


def _view(record: JobRecord) -> JobView:
    failed = record.status in _FAILED
    return JobView(
        job_id=record.job_id,
        status=record.status,
        result=json.loads(record.result) if record.result is not None else None,
        error=str(failure_of(record.error).error()) if failed else None,
    )
