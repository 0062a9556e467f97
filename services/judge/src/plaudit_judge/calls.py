"""The calls that one worker makes to its judge: bounded, and each for somebody."""

import asyncio
from collections.abc import Callable

from pydantic import TypeAdapter

from plaudit_judge.cache import Ask, S, VerdictCache
from plaudit_judge.judges.base import Case, Judge, Opinion, ScoreCase, Scores
from plaudit_judge.origin import Origin

_OPINION = TypeAdapter(Opinion)
_SCORES = TypeAdapter(Scores)


class Calls:
    """Shared by all requests of a worker."""

    def __init__(
        self, judge: Judge, max_concurrency: int, cache: VerdictCache | None = None
    ) -> None:
        self.judge = judge
        self.cache = cache
        self.max_concurrency = max_concurrency
        self._slots = asyncio.Semaphore(max_concurrency)

    async def compare(
        self,
        case: Case,
        origin: Origin,
        time_left_s: Callable[[], float],
        *,
        use_cache: bool = False,
    ) -> Opinion:
        """`time_left_s` is asked once the call can start. Raises as `Judge.compare` does."""

        async def ask() -> Opinion:
            async with self.slot():
                return await self.judge.compare(case, time_left_s())

        return await self._remembered(case, ask, _OPINION, use_cache)

    async def grade(
        self,
        case: ScoreCase,
        origin: Origin,
        time_left_s: Callable[[], float],
        *,
        use_cache: bool = False,
    ) -> Scores:
        """Raises as `Judge.grade` does."""

        async def ask() -> Scores:
            async with self.slot():
                return await self.judge.grade(case, time_left_s())

        return await self._remembered(case, ask, _SCORES, use_cache)

    async def _remembered(
        self, case: Case | ScoreCase, ask: Ask[S], kind: TypeAdapter[S], use_cache: bool
    ) -> S:
        if self.cache is None:
            return await ask()
        key = await self.cache.keys.of(case) if use_cache else None
        return await self.cache.get_or_ask(key, ask, kind)

    def slot(self) -> asyncio.Semaphore:
        """Held while the judge is asked."""
        return self._slots
