"""Finds stored verdicts, page by page, over the streams of several callers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from redis.asyncio import Redis

from plaudit.schemas.judge_verdict import Order, StoredVerdict
from plaudit_judge.ledger import keys
from plaudit_judge.ledger.place import Place
from plaudit_judge.ledger.record import decode

_SCANNED = 1000
"""Stored verdicts looked at for one page, so that a filter that fits nothing ends, too."""

_Row = tuple[Place, dict[bytes, bytes]]


@dataclass(frozen=True)
class Question:
    """Which verdicts of a run; `callers` are those whose verdicts may be seen."""

    run_id: str
    callers: Sequence[str]
    judge: str | None = None
    lane: str | None = None
    verb: str | None = None
    order: Order = "oldest"

    def fits(self, fields: dict[bytes, bytes]) -> bool:
        wanted = {b"judge": self.judge, b"lane": self.lane, b"verb": self.verb}
        return all(text is None or fields[name] == text.encode() for name, text in wanted.items())


@dataclass(frozen=True)
class Page:
    """`next` is where to go on; None: nothing follows."""

    verdicts: list[StoredVerdict]
    next: Place | None


@dataclass(frozen=True)
class _Scan:
    """What lies next in each stream, in order; `goes_on` when a stream has more than that."""

    rows: list[_Row]
    goes_on: bool


async def find_page(
    redis: Redis, question: Question, after: Place | None, max_verdicts: int
) -> Page:
    """May be short, or empty, though more follows."""
    scan = await _scan(redis, question, after)
    # In a thread: a page of large verdicts takes longer than the other calls should wait.
    return await asyncio.to_thread(_page, scan, question, max_verdicts)


def _page(scan: _Scan, question: Question, max_verdicts: int) -> Page:
    found: list[StoredVerdict] = []
    last: Place | None = None
    for place, fields in scan.rows:
        if len(found) == max_verdicts:
            return Page(found, last)
        last = place
        if question.fits(fields) and (verdict := decode(fields[b"record"], str(place))):
            found.append(verdict)
    return Page(found, last if scan.goes_on else None)


async def _scan(redis: Redis, question: Question, after: Place | None) -> _Scan:
    callers = await _with_verdicts(redis, question)
    share = -(-_SCANNED // max(1, len(callers)))
    streams = await _read(redis, question, callers, after, share)
    rows = sorted(chain.from_iterable(streams), key=_place, reverse=question.order == "newest")
    # Beyond the end of one that has more, something of it may belong in between.
    ends = {_place(stream[-1]) for stream in streams if len(stream) == share}
    for index, row in enumerate(rows):
        if _place(row) in ends:
            return _Scan(rows[: index + 1], goes_on=True)
    return _Scan(rows, goes_on=False)


def _place(row: _Row) -> Place:
    return row[0]


async def _with_verdicts(redis: Redis, question: Question) -> list[str]:
    async with redis.pipeline(transaction=False) as pipeline:
        for caller in question.callers:
            pipeline.exists(keys.verdicts(caller, question.run_id))
        there = await pipeline.execute()
    return [caller for caller, found in zip(question.callers, there, strict=True) if found]


async def _read(
    redis: Redis, question: Question, callers: Sequence[str], after: Place | None, count: int
) -> list[list[_Row]]:
    async with redis.pipeline(transaction=False) as pipeline:
        for caller in callers:
            stream = keys.verdicts(caller, question.run_id)
            start = after.start_in(caller, question.order) if after else None
            if question.order == "oldest":
                pipeline.xrange(stream, min=start or "-", count=count)
            else:
                pipeline.xrevrange(stream, max=start or "+", count=count)
        found = await pipeline.execute()
    return [
        [(Place.of(entry, caller), fields) for entry, fields in stream]
        for caller, stream in zip(callers, found, strict=True)
    ]
