"""What goes to Redis in one round trip: verdicts, costs, and holds that end."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.telemetry import get_logger
from plaudit_judge.ledger.call import Call
from plaudit_judge.ledger.costs import Sums, add_sums
from plaudit_judge.ledger.holds import Hold, let_go
from plaudit_judge.ledger.record import encode
from plaudit_judge.ledger.verdicts import add_verdict, keep_run, run_of
from plaudit_judge.settings import JudgeSettings

log = get_logger(__name__)


@dataclass
class Batch:
    calls: list[Call] = field(default_factory=list)
    """Whose verdicts are stored."""
    sums: Sums = field(default_factory=dict)
    finished: list[Hold] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.calls or self.sums or self.finished)


async def write(redis: Redis, settings: JudgeSettings, batch: Batch) -> None:
    """All of it, or nothing, and then raises RedisError or OSError."""
    # In a thread: a batch takes longer than the judge's calls should wait.
    records = await asyncio.to_thread(_encode, settings, batch.calls)
    now_s = time.time()
    async with redis.pipeline(transaction=True) as pipeline:
        for call, record in zip(batch.calls, records, strict=True):
            add_verdict(pipeline, call, record, settings.verdicts)
        for run in {run_of(call) for call in batch.calls}:
            keep_run(pipeline, run, now_s, settings.verdicts)
        add_sums(pipeline, batch.sums, now_s, settings.costs)
        for hold in batch.finished:
            let_go(pipeline, hold)
        answers = await pipeline.execute(raise_on_error=False)
    for error in (answer for answer in answers if isinstance(answer, RedisError)):
        log.warning("ledger_partly_written", reason=str(error)[:500])


def _encode(settings: JudgeSettings, calls: Sequence[Call]) -> list[bytes]:
    max_bytes = settings.verdicts.max_bytes
    return [encode(call, settings.judges[call.judge], max_bytes) for call in calls]
