"""The archives as a reward uses them: look up in memory, append in Redis."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Sequence

from redis.asyncio import Redis

from plaudit.errors import Unavailable
from plaudit_reward.archive.entry import Entry
from plaudit_reward.archive.limits import ArchiveLimits
from plaudit_reward.archive.mirror import Mirror
from plaudit_reward.archive.store import Store
from plaudit_reward.embedding.embedder import Embeddings
from plaudit_reward.metrics import ARCHIVE_ENTRIES

MAX_RELOADS = 2
"""Of a mirror that holds what Redis has lost."""


class Archive:
    """One archive. Any number of workers append to it at once; none waits for another."""

    def __init__(self, store: Store, dimensions: int) -> None:
        self._store = store
        self._dimensions = dimensions
        self._mirror = Mirror(dimensions)
        self._lock = asyncio.Lock()

    def __len__(self) -> int:
        """Entries that this worker knows of."""
        return len(self._mirror)

    async def nearest(
        self, embeddings: Embeddings, count: int, prompt: int | None, without: Collection[bytes]
    ) -> Embeddings | None:
        """`Mirror.nearest`, of all that any worker has appended so far."""
        async with self._lock:
            await self._follow()
            return await asyncio.to_thread(
                self._mirror.nearest, embeddings, count, prompt, frozenset(without)
            )

    async def append(self, entries: Sequence[Entry]) -> None:
        await self._store.append(entries)

    async def _follow(self) -> None:
        for _ in range(1 + MAX_RELOADS):
            if await self._is_followed():
                return
            self._mirror = Mirror(self._dimensions)
        raise Unavailable("The archive in Redis changes in ways that no worker of Plaudit makes.")

    async def _is_followed(self) -> bool:
        """False where Redis lacks what the mirror has: it was emptied, or lost its last second."""
        while True:
            page = await self._store.since(self._mirror.newest)
            if page.oldest is None:
                return len(self._mirror) == 0
            self._mirror.drop_before(page.oldest)
            if any(entry.member in self._mirror for _, entry in page.entries):
                return False
            self._mirror.add(page.entries)
            if page.is_last:
                return len(self._mirror) == page.num_entries


class Archives:
    """Those that this worker has met, at most `max_archives`; the least used is forgotten first."""

    def __init__(self, redis: Redis, limits: ArchiveLimits) -> None:
        self._redis = redis
        self._limits = limits
        self._met: OrderedDict[tuple[str, str, int], Archive] = OrderedDict()
        ARCHIVE_ENTRIES.set_function(lambda: sum(len(one) for one in self._met.values()))

    def get(self, name: str, embedder: str, dimensions: int) -> Archive:
        """Embeddings of different embedders or dimensions are never in one archive."""
        key = name, embedder, dimensions
        if key not in self._met:
            self._met[key] = Archive(Store(self._redis, *key, self._limits), dimensions)
        self._met.move_to_end(key)
        if len(self._met) > self._limits.max_archives:
            self._met.popitem(last=False)
        return self._met[key]
