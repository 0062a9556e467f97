"""Hypothesis plays any sequence of calls, crashes and lapses against a simple model.

Time passes by moving deadlines in Redis, so nothing here sleeps.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as play
from redis.asyncio import Redis

from plaudit.errors import QueueFull
from plaudit.queue import DeadJob, Job, JobRecord, Lease, QueueOptions, QueueStats, WorkQueue
from plaudit.schemas.common import Lane

JOB_IDS = [f"j{i}" for i in range(6)]
MAX_JOBS, MAX_DELIVERIES, MAX_DEAD = 4, 2, 2
LANES = ("train", "eval")
OPEN = ("queued", "running")
an_id, a_lane = st.sampled_from(JOB_IDS), st.sampled_from(LANES)


@dataclass
class Expected:
    lane: str
    status: str = "queued"
    deliveries: int = 0
    token: int | None = None
    lapsed: bool = False
    result: bytes | None = None


class QueueMachine(RuleBasedStateMachine):
    def __init__(self, redis_url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis, self.queue = self.runner.run(self.open(redis_url))
        self.jobs: dict[str, Expected] = {}
        self.leases: list[Lease] = []
        self.letters: list[str] = []
        self.lane_of: dict[str, Lane] = {}
        self.born = self.ended = 0

    async def open(self, redis_url: str) -> tuple[Redis, WorkQueue]:
        redis = Redis.from_url(redis_url)
        await redis.flushall()
        options = QueueOptions(
            max_jobs=MAX_JOBS, max_deliveries=MAX_DELIVERIES, max_dead=MAX_DEAD,
            retry_delay_s=0, lease_s=1000,
        )  # fmt: skip
        return redis, WorkQueue(redis, "q", options)

    def teardown(self) -> None:
        self.runner.run(self.queue.aclose())
        self.runner.run(self.redis.aclose())
        self.runner.close()

    def do(self, call: Any) -> Any:
        return self.runner.run(call)

    def open_jobs(self) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.status in OPEN]

    def end(self, job_id: str, status: str) -> None:
        self.jobs[job_id].status = status
        self.ended += 1
        if status == "dead":
            self.letters = [*(one for one in self.letters if one != job_id), job_id][-MAX_DEAD:]

    def put(self, job_id: str, lane: str) -> None:
        """Behind all others, also when it was there before."""
        self.jobs.pop(job_id, None)
        self.jobs[job_id] = Expected(lane)
        self.born += 1

    @initialize(num_leased=st.integers(0, MAX_JOBS))
    def begin_busy(self, num_leased: int) -> None:
        self.submit(JOB_IDS[:MAX_JOBS], "train")
        self.lease(num_leased or 1, "w1")

    @rule(job_ids=st.lists(an_id, min_size=1, max_size=5), lane=a_lane)
    def submit(self, job_ids: list[str], lane: Any) -> None:
        fresh = {job_id for job_id in job_ids if job_id not in self.jobs}
        jobs = [Job(job_id, job_id.encode(), lane) for job_id in job_ids]
        if fresh and len(self.open_jobs()) + len(fresh) > MAX_JOBS:
            try:
                self.do(self.queue.submit_many(jobs))
            except QueueFull:
                return
            raise AssertionError("a full queue took a job")
        for submitted in self.do(self.queue.submit_many(jobs)):
            assert submitted.created == (submitted.job_id not in self.jobs)
            if submitted.created:
                self.put(submitted.job_id, lane)
            assert submitted.status == self.jobs[submitted.job_id].status

    @rule(num_jobs=st.integers(1, 6), worker=st.sampled_from(["w1", "w2"]))
    def lease(self, num_jobs: int, worker: str) -> None:
        taken = self.do(self.queue.lease(worker, num_jobs, 0))
        for job_id, job in self.lapsed():
            job.lapsed = False
            if job.deliveries >= MAX_DELIVERIES:
                self.end(job_id, "dead")
            else:
                job.status = "queued"
        waiting = {one for one, job in self.jobs.items() if job.status == "queued"}
        assert {lease.job_id for lease in taken} <= waiting
        assert len(taken) == min(num_jobs, len(waiting))
        for lease in taken:
            job = self.jobs[lease.job_id]
            job.status, job.token, job.deliveries = "running", lease.token, job.deliveries + 1
            assert (lease.lane, lease.deliveries) == (job.lane, job.deliveries)
            assert lease.payload == lease.job_id.encode()
        self.leases += taken

    def lapsed(self) -> list[tuple[str, Expected]]:
        """Lane by lane, and in each the oldest first."""
        found = [(job_id, job) for job_id, job in self.jobs.items() if job.lapsed]
        return sorted(found, key=lambda one: one[1].lane != "train")

    def running(self) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.status == "running"]

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def lapse(self, data: st.DataObject) -> None:
        running = st.sampled_from(self.running())
        for job_id in data.draw(st.lists(running, unique=True, min_size=1)):
            self.do(self.rewind(job_id, self.jobs[job_id].lane))
            self.jobs[job_id].lapsed = True

    @precondition(lambda self: self.running())
    @rule(times=st.integers(1, 3))
    def all_workers_crash(self, times: int) -> None:
        for _ in range(times):
            for job_id in self.running():
                self.do(self.rewind(job_id, self.jobs[job_id].lane))
                self.jobs[job_id].lapsed = True
            self.lease(6, "w3")

    @precondition(lambda self: self.running())
    @rule(times=st.integers(1, 3))
    def all_attempts_fail(self, times: int) -> None:
        for _ in range(times):
            for lease in self.leases:
                if lease.job_id in self.running() and self.jobs[lease.job_id].token == lease.token:
                    self.settle_by(lease, "retry")
            self.lease(6, "w3")

    async def rewind(self, job_id: str, lane: str) -> None:
        entry: Any = await self.redis.hget(f"plaudit:q:q:job:{job_id}", "entry")
        await self.redis.zadd(f"plaudit:q:q:{lane}:leases", {entry: 1}, xx=True)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        leases = data.draw(st.lists(st.sampled_from(self.leases), unique=True, min_size=1))
        lost = {one.lease: one.status for one in self.do(self.queue.renew(leases))}
        for lease in leases:
            job = self.jobs.get(lease.job_id)
            if job is not None and job.status == "running" and job.token == lease.token:
                assert lease not in lost
                job.lapsed = False
            else:
                assert lost[lease] == (job.status if job else None)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        job = self.jobs.get(lease.job_id)
        result = str(lease.token).encode()
        recorded = self.do(self.queue.complete(lease, result))
        if job is not None and job.status in OPEN:
            assert recorded
            job.result, job.lapsed = result, False
            self.end(lease.job_id, "done")
        else:
            again = job is not None and job.status == "done" and job.result == result
            assert recorded == again

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), how=st.sampled_from(["retry", "fail", "release"]))
    def hand_back(self, data: st.DataObject, how: str) -> None:
        self.settle_by(data.draw(st.sampled_from(self.leases)), how)

    def settle_by(self, lease: Lease, how: str) -> None:
        status = self.do(
            self.queue.release(lease)
            if how == "release"
            else self.queue.fail(lease, how, retryable=how == "retry")
        )
        job = self.jobs.get(lease.job_id)
        if job is not None and job.status in OPEN and job.token == lease.token:
            self.expect_hand_back(lease.job_id, job, how)
        if how != "release":
            assert status == (job.status if job else None)

    def expect_hand_back(self, job_id: str, job: Expected, how: str) -> None:
        if how == "fail":
            job.lapsed = False
            self.end(job_id, "failed")
        elif job.status == "running":
            job.lapsed = False
            if how == "retry" and job.deliveries >= MAX_DELIVERIES:
                self.end(job_id, "dead")
            else:
                job.status = "queued"
                job.deliveries -= how == "release"

    @rule(job_id=an_id)
    def cancel(self, job_id: str) -> None:
        job = self.jobs.get(job_id)
        cancelled = self.do(self.queue.cancel(job_id))
        assert cancelled == (job is not None and job.status in OPEN)
        if cancelled:
            self.jobs[job_id].lapsed = False
            self.end(job_id, "cancelled")

    @rule(job_ids=st.lists(an_id, max_size=3))
    def forget(self, job_ids: list[str]) -> None:
        self.do(self.queue.forget(job_ids))
        for job_id in job_ids:
            if job_id in self.jobs and self.jobs[job_id].status not in OPEN:
                del self.jobs[job_id]

    @rule(job_id=st.none() | an_id)
    def retry_dead(self, job_id: str | None) -> None:
        wanted = [one for one in self.letters if job_id in (None, one)]
        revived, full = 0, False
        for letter in wanted:
            if len(self.open_jobs()) >= MAX_JOBS or full:
                full = True
                continue
            self.letters.remove(letter)
            job = self.jobs.get(letter)
            if job is None or job.status == "dead":
                self.put(letter, self.lane_of[letter])
                revived += 1
        try:
            assert self.do(self.queue.retry_dead(job_id)) == revived
            assert not full
        except QueueFull:
            assert full

    @rule()
    def purge_dead(self) -> None:
        assert self.do(self.queue.purge_dead()) == len(self.letters)
        self.letters = []

    @invariant()
    def redis_agrees(self) -> None:
        self.do(self.check())

    async def check(self) -> None:
        records, dead, stats, ttls, lanes = await asyncio.gather(
            asyncio.gather(*map(self.queue.record, JOB_IDS)),
            self.queue.list_dead(),
            self.queue.stats(),
            self.ttls(),
            self.lane_keys(),
        )
        for job_id, record, ttl in zip(JOB_IDS, records, ttls, strict=True):
            self.check_record(self.jobs.get(job_id), record, ttl)
        self.check_letters(dead)
        self.check_totals(stats)
        for entries, held, waiting, pending in lanes:
            assert held | waiting <= entries
            assert not held & waiting
            assert pending == held | waiting

    async def ttls(self) -> list[int]:
        pipe = self.redis.pipeline(transaction=False)
        for job_id in JOB_IDS:
            pipe.ttl(f"plaudit:q:q:job:{job_id}")
        return await pipe.execute()

    async def lane_keys(self) -> list[list[set[bytes]]]:
        """Per lane: ids in the stream, leased, to be delivered again, pending in the group."""
        pipe = self.redis.pipeline(transaction=False)
        for lane in LANES:
            pipe.xrange(f"plaudit:q:q:{lane}")
            pipe.zrange(f"plaudit:q:q:{lane}:leases", 0, -1)
            pipe.zrange(f"plaudit:q:q:{lane}:again", 0, -1)
            pipe.xpending_range(f"plaudit:q:q:{lane}", "workers", "-", "+", 100)
        replies = await pipe.execute(raise_on_error=False)  # there is no group at first
        lanes = []
        for entries, held, waiting, pending in zip(*[iter(replies)] * 4, strict=True):
            pending_ids = [] if isinstance(pending, Exception) else pending
            ids = {one["message_id"] for one in pending_ids}
            lanes.append([{entry for entry, _ in entries}, set(held), set(waiting), ids])
        return lanes

    def check_record(self, job: Expected | None, record: JobRecord | None, ttl: int) -> None:
        if job is None or record is None:
            assert job is None and record is None
            return
        seen = (record.status, record.deliveries, record.lane, record.result)
        assert seen == (job.status, job.deliveries, job.lane, job.result)
        assert (ttl == -1) == (job.status in OPEN)

    def check_letters(self, dead: list[DeadJob]) -> None:
        assert [letter.job_id for letter in dead] == self.letters
        assert all(letter.payload == letter.job_id.encode() for letter in dead)
        self.lane_of = {letter.job_id: letter.lane for letter in dead}

    def check_totals(self, stats: QueueStats) -> None:
        statuses = [job.status for job in self.jobs.values()]
        assert stats.queued == statuses.count("queued")
        assert stats.running == statuses.count("running")
        lanes = stats.lanes.values()
        ended = sum(one.done + one.failed + one.dead + one.cancelled for one in lanes)
        assert ended == self.ended
        assert self.born - self.ended == stats.queued + stats.running


def test_any_sequence_of_calls_crashes_and_lapses_matches_the_model(redis_url: str) -> None:
    play(
        lambda: QueueMachine(redis_url),  # type: ignore[arg-type]
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
