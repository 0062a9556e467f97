"""The archives in Redis: each change is one script, atomic and safe to send twice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from plaudit.errors import Rejected, Unavailable
from plaudit_reward.archive.entry import NUM_HEAD_BYTES, NUMBER_BYTES, Entry, EntryId
from plaudit_reward.archive.limits import ArchiveLimits
from plaudit_reward.metrics import ARCHIVE_APPENDS, ARCHIVE_EVICTIONS

PREFIX = "plaudit:reward:archive:"
ARCHIVES_KEY = "plaudit:reward:archives"
ANSWER_S = 5.0
RECONNECT_S = 2.0
PAGE_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Page:
    """Entries that were new, and the archive as it was then; `oldest` is None when it is empty."""

    entries: list[tuple[EntryId, Entry]]
    oldest: EntryId | None
    num_entries: int
    is_last: bool


class Store:
    """One archive: a name, for embeddings of one embedder and one number of dimensions.

    Raises Unavailable when Redis cannot be reached or does not take it.
    """

    def __init__(
        self, redis: Redis, name: str, embedder: str, dimensions: int, limits: ArchiveLimits
    ) -> None:
        self._redis = redis
        self._name = name
        self._key = f"{PREFIX}{name}:{embedder}:{dimensions}"
        self._dimensions = dimensions
        self._limits = limits
        entry_bytes = NUM_HEAD_BYTES + NUMBER_BYTES * dimensions
        self.max_entries = max(1, min(limits.max_entries, limits.max_bytes // entry_bytes))
        self._page_entries = max(1, PAGE_BYTES // entry_bytes)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Those that are there already stay as they are; the oldest ones make room.

        Raises Rejected when there are max_archives others.
        """
        keys = (self._key, f"{self._key}:members", ARCHIVES_KEY)
        bounds = (self.max_entries, self._limits.max_archives, int(1000 * self._limits.ttl_s))
        packed = [entry.pack() for entry in entries]
        added, evicted = await self._run("append", keys, [*bounds, *packed])
        if added < 0:
            raise Rejected(
                f"archive = {self._name!r} would be one more than max_archives = "
                f"{self._limits.max_archives}.",
                fix="use one that exists, delete one (docs/reward.md), or raise max_archives",
            )
        ARCHIVE_APPENDS.labels("added").inc(added)
        ARCHIVE_APPENDS.labels("known").inc(len(entries) - added)
        ARCHIVE_EVICTIONS.inc(evicted)

    async def since(self, newest: EntryId) -> Page:
        """What was appended after `newest`, as much as one page holds."""
        args = (str(newest), self._page_entries)
        found, oldest, num_entries = await self._run("since", (self._key,), args)
        entries = [
            (EntryId.parse(entry_id), Entry.unpack(fields[1], self._dimensions))
            for entry_id, fields in found
        ]
        first = EntryId.parse(oldest) if oldest else None
        return Page(entries, first, num_entries, len(entries) < self._page_entries)

    async def _run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        run = self._redis.register_script(_source(script))
        try:
            async for attempt in _attempts():
                with attempt:
                    async with asyncio.timeout(ANSWER_S):
                        return await run(keys=list(keys), args=list(args))
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(
                f"The archive {self._name!r} is in Redis, which did not do its part ({script}): "
                f"{type(error).__name__}: {str(error)[:200]}",
                fix="start Redis or check redis_url; it may be out of memory",
                retry_after_s=1.0,
            ) from error


def _attempts() -> AsyncRetrying:
    """A restart of Redis breaks every connection once."""
    return AsyncRetrying(
        retry=retry_if_exception_type((ConnectionError, OSError)),
        wait=wait_random_exponential(0.02, 1.0),
        stop=stop_after_delay(RECONNECT_S),
        reraise=True,
    )


@cache
def _source(script: str) -> str:
    return (files(__package__) / "scripts" / f"{script}.lua").read_text(encoding="utf-8")
