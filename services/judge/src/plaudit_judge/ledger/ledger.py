"""Takes down every call of a worker's judge: verdicts to be looked up, costs to be added up.

They go to Redis behind the judging, a batch at a time. Verdicts that cannot be written are dropped
and counted; costs wait until they can be.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.telemetry import get_logger
from plaudit_judge import metrics
from plaudit_judge.ledger.batch import Batch, write
from plaudit_judge.ledger.call import Call
from plaudit_judge.ledger.costs import add_call, merge
from plaudit_judge.ledger.holds import Hold
from plaudit_judge.ledger.taking import Taken
from plaudit_judge.settings import JudgeSettings

log = get_logger(__name__)
MAX_WAITING = 4096
"""Verdicts that wait to be written; more are dropped."""
_BATCH = 256
_GATHER_S = 0.02
"""How long calls are gathered for one round trip."""
_PAUSE_S = 1.0
"""After a failure."""
_CLOSE_S = 2.0


class Ledger:
    """`async with ledger` writes what comes in; at its end what is left, for at most 2 s."""

    def __init__(self, settings: JudgeSettings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._waiting = Batch()
        self._something = asyncio.Event()
        self._is_closing = self._is_failing = False

    async def __aenter__(self) -> Self:
        self._writing = asyncio.create_task(self._write_on())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        self._something.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._writing
        self._drop(self._waiting.calls)

    def record(self, taken: Taken) -> None:
        call = taken.whole
        add_call(self._waiting.sums, call)
        metrics.COST_USD.labels(call.judge, call.origin.lane).inc(call.reply.cost_usd)
        if self._settings.verdicts.enabled:
            self._store([*taken.parts, call])
        self._something.set()

    def let_go(self, hold: Hold) -> None:
        """Once all its calls were recorded."""
        self._waiting.finished.append(hold)
        self._something.set()

    def _store(self, calls: Sequence[Call]) -> None:
        room = MAX_WAITING - len(self._waiting.calls)
        self._waiting.calls += calls[:room]
        self._drop(calls[room:])

    async def _write_on(self) -> None:
        while not self._is_closing:
            await self._something.wait()
            self._something.clear()
            await asyncio.sleep(_GATHER_S)
            while not await self._write() and not self._is_closing:
                await asyncio.sleep(_PAUSE_S)
        await self._write()

    async def _write(self) -> bool:
        """All that waits, in pieces; False when Redis does not take it."""
        while self._waiting:
            batch = self._next_batch()
            try:
                await write(self._redis, self._settings, batch)
            except (RedisError, OSError) as error:
                self._give_back(batch, error)
                return False
            self._is_failing = False
        return True

    def _next_batch(self) -> Batch:
        """Costs go first, all of them, so that no hold ends before what it was for is paid."""
        waiting = self._waiting
        self._waiting = Batch(calls=waiting.calls[_BATCH:])
        return Batch(waiting.calls[:_BATCH], waiting.sums, waiting.finished)

    def _give_back(self, batch: Batch, error: BaseException) -> None:
        merge(self._waiting.sums, batch.sums)
        self._waiting.finished = batch.finished + self._waiting.finished
        self._drop(batch.calls)
        if not self._is_failing:
            log.warning("ledger_not_written", reason=f"{type(error).__name__}: {error}"[:500])
        self._is_failing = True

    def _drop(self, calls: Sequence[Call]) -> None:
        for judge, number in Counter(call.judge for call in calls).items():
            metrics.UNSTORED_VERDICTS.labels(judge).inc(number)
