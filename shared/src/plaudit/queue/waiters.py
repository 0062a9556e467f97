"""Many waits for results over one subscription.

Redis publishes the ids of jobs that end. A poll of all waited-for ids each second finds what
a dropped connection missed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic

from redis.exceptions import RedisError

from plaudit.errors import Unavailable
from plaudit.queue.link import Link, backoff_s
from plaudit.queue.model import JobRecord
from plaudit.queue.tasks import cancel

POLL_S = 1.0
MAX_IDS_PER_CALL = 500

Fetch = Callable[[Sequence[str]], Awaitable[Sequence[JobRecord | None]]]
Waiting = asyncio.Future[JobRecord | None]


class Waiters:
    """`fetch` reads records. The subscription has a connection of its own."""

    def __init__(self, link: Link, fetch: Fetch) -> None:
        self._link = link
        self._fetch = fetch
        self._waiting: dict[str, set[Waiting]] = {}
        self._ended: set[str] = set()
        self._some_ended = asyncio.Event()
        self._unchecked: set[str] = set()
        self._check = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def wait(self, job_id: str, timeout_s: float) -> JobRecord | None:
        """The record once the job is finished; None after `timeout_s`, or without a record."""
        self._start()
        loop = asyncio.get_running_loop()
        future: Waiting = loop.create_future()
        timer = loop.call_later(timeout_s, _give_up, future)
        self._waiting.setdefault(job_id, set()).add(future)
        self._unchecked.add(job_id)  # it may have ended before
        self._check.set()
        try:
            return await future
        finally:
            timer.cancel()
            self._remove(job_id, future)

    async def aclose(self) -> None:
        for task in self._tasks:
            await cancel(task)
        self._tasks.clear()
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(Unavailable(f"queue {self._link.queue} was closed"))

    def _start(self) -> None:
        if not self._tasks:
            loops = (self._listen(), self._poll(), self._deliver())
            self._tasks = [asyncio.create_task(loop) for loop in loops]

    def _remove(self, job_id: str, future: Waiting) -> None:
        futures = self._waiting.get(job_id)
        if futures is not None:
            futures.discard(future)
            if not futures:
                del self._waiting[job_id]

    async def _listen(self) -> None:
        attempt = 0
        while True:
            started = monotonic()
            with suppress(RedisError, OSError):  # the poll goes on meanwhile
                await self._subscribe()
            attempt = 0 if monotonic() - started > POLL_S else attempt + 1
            await asyncio.sleep(backoff_s(attempt))

    async def _subscribe(self) -> None:
        async with self._link.redis.pubsub() as pubsub:
            await pubsub.subscribe(f"{self._link.prefix}finished")
            while True:
                message = await pubsub.get_message(timeout=POLL_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._unchecked.update(self._waiting)
                    self._check.set()
                elif message["type"] == "message":
                    self._note(message["data"].decode().split("\n"))

    def _note(self, job_ids: Sequence[str]) -> None:
        self._ended.update(job_id for job_id in job_ids if job_id in self._waiting)
        if self._ended:
            self._some_ended.set()

    async def _poll(self) -> None:
        clock = asyncio.get_running_loop().time
        next_full = clock() + POLL_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_full):
                    await self._check.wait()
            self._check.clear()
            job_ids, self._unchecked = self._unchecked, set()
            if clock() >= next_full:
                job_ids.update(self._waiting)
                next_full = clock() + POLL_S
            await self._note_ended([job_id for job_id in job_ids if job_id in self._waiting])

    async def _note_ended(self, job_ids: Sequence[str]) -> None:
        for start in range(0, len(job_ids), MAX_IDS_PER_CALL):
            with suppress(Unavailable):
                ended = await self._link.run("ended", job_ids[start : start + MAX_IDS_PER_CALL])
                self._note([job_id.decode() for job_id in ended])

    async def _deliver(self) -> None:
        while True:
            await self._some_ended.wait()
            self._some_ended.clear()
            job_ids = list(self._ended)[:MAX_IDS_PER_CALL]
            self._ended.difference_update(job_ids)
            if self._ended:
                self._some_ended.set()
            # A record that cannot be read now is found again by the poll.
            with suppress(Unavailable):
                self._hand_out(job_ids, await self._fetch(job_ids))

    def _hand_out(self, job_ids: Sequence[str], records: Sequence[JobRecord | None]) -> None:
        for job_id, record in zip(job_ids, records, strict=True):
            if record is None or record.finished:
                for future in self._waiting.get(job_id, ()):
                    if not future.done():
                        future.set_result(record)


def _give_up(future: Waiting) -> None:
    if not future.done():
        future.set_result(None)
