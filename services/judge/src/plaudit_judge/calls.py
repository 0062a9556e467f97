"""The calls that one worker makes to its judge: bounded, and each for somebody."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pydantic import TypeAdapter

from plaudit.errors import Rejected
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit.telemetry import span
from plaudit_judge import metrics
from plaudit_judge.cache import Ask, S, VerdictCache
from plaudit_judge.judges.base import Case, Judge, Opinion, Reward, ScoreCase, Scores
from plaudit_judge.judges.reward_judge import RewardJudge
from plaudit_judge.ledger.ledger import Ledger
from plaudit_judge.ledger.stopwatch import Stopwatch
from plaudit_judge.ledger.taking import Taken, compared, graded, rewarded
from plaudit_judge.limits.slots import LaneSlots
from plaudit_judge.origin import Origin, use_origin

_OPINION = TypeAdapter(Opinion)
_SCORES = TypeAdapter(Scores)


class Calls:
    """Shared by all requests of a worker."""

    def __init__(
        self,
        judge: Judge,
        max_concurrency: int,
        cache: VerdictCache | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.judge = judge
        self.cache = cache
        self._ledger = ledger
        self.max_concurrency = max_concurrency
        self._slots = LaneSlots(max_concurrency)

    async def compare(
        self,
        case: Case,
        origin: Origin,
        time_left_s: Callable[[], float],
        *,
        use_cache: bool = False,
    ) -> Opinion:
        """`time_left_s` is asked once the call can start. Raises as `Judge.compare` does."""
        watch = Stopwatch()

        async def ask() -> Opinion:
            async with self.slot(origin):
                with watch:
                    return await self.judge.compare(case, time_left_s())

        said = await self._remembered(case, ask, _OPINION, use_cache)
        self._record(compared(self.judge.name, case, origin, said, watch.seconds))
        return said

    async def grade(
        self,
        case: ScoreCase,
        origin: Origin,
        time_left_s: Callable[[], float],
        *,
        use_cache: bool = False,
    ) -> Scores:
        """Raises as `Judge.grade` does."""
        watch = Stopwatch()

        async def ask() -> Scores:
            async with self.slot(origin):
                with watch:
                    return await self.judge.grade(case, time_left_s())

        said = await self._remembered(case, ask, _SCORES, use_cache)
        self._record(graded(self.judge.name, case, origin, said, watch.seconds))
        return said

    async def rewards(
        self, request: JudgeRewardRequest, origin: Origin, timeout_s: float
    ) -> list[Reward]:
        """Raises Rejected, also when this judge only compares, and Unavailable."""
        if not isinstance(self.judge, RewardJudge):
            raise Rejected(f"judge: {self.judge.name!r} gives no rewards.")
        asked = (request.prompt, request.responses, request.reference)
        watch = Stopwatch()
        async with self.slot(origin):
            with watch:
                found = await self.judge.rewards(*asked, timeout_s)
        for response, reward in zip(request.responses, found, strict=False):
            self._record(rewarded(request, origin, response, reward, watch.seconds))
        return found

    async def _remembered(
        self, case: Case | ScoreCase, ask: Ask[S], kind: TypeAdapter[S], use_cache: bool
    ) -> S:
        if self.cache is None:
            return await ask()
        key = await self.cache.keys.of(case) if use_cache else None
        return await self.cache.get_or_ask(key, ask, kind)

    def _record(self, taken: Taken) -> None:
        if self._ledger is not None:
            self._ledger.record(taken)

    @asynccontextmanager
    async def slot(self, origin: Origin) -> AsyncIterator[None]:
        """Held while the judge is asked."""
        started_s = time.monotonic()
        async with self._slots.slot(origin):
            waited = metrics.SLOT_WAIT_SECONDS.labels(self.judge.name, origin.lane)
            waited.observe(time.monotonic() - started_s)
            with use_origin(origin), span("judge call", judge=self.judge.name):
                yield
