"""What the API works out itself, of verdicts that were given before: no judge is asked."""

import asyncio

from redis.asyncio import Redis

from plaudit.schemas.judge_calibrate import CalibrateRequest, CalibrateResponse
from plaudit.schemas.judge_statistics import StatisticsRequest, StatisticsResponse
from plaudit_judge.calibrate import measure
from plaudit_judge.ledger.finding import Question, find_page
from plaudit_judge.ledger.place import Place
from plaudit_judge.statistics.pairs import measure_pairs
from plaudit_judge.statistics.stored import Seen, pairs_of

MAX_STORED = 10_000
"""Verdicts that statistics are made of; older ones are left out."""
_PAGE = 200
_UNKNOWN_OF_STORED = ("win_rate", "length_controlled_win_rate")
"""Which of two answers was called a is not stored."""


class Measuring:
    """One request at a time, in a thread: the API answers others meanwhile."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._turn = asyncio.Lock()

    async def statistics(self, request: StatisticsRequest) -> StatisticsResponse:
        async with self._turn:
            return await asyncio.to_thread(measure_pairs, request.pairs, request.seed)

    async def stored_statistics(self, question: Question) -> StatisticsResponse:
        async with self._turn:
            seen = await self._newest(question)
            found = await asyncio.to_thread(lambda: measure_pairs(pairs_of(seen), seed=0))
        return found.model_copy(update=dict.fromkeys(_UNKNOWN_OF_STORED))

    async def calibration(self, request: CalibrateRequest) -> CalibrateResponse:
        """Of a request that asks nobody."""
        async with self._turn:
            return await asyncio.to_thread(measure, request.verdicts, request.grades, request.seed)

    async def _newest(self, question: Question) -> list[Seen]:
        seen: list[Seen] = []
        after: Place | None = None
        while len(seen) < MAX_STORED:
            page = await find_page(self._redis, question, after, _PAGE)
            seen += [one for verdict in page.verdicts if (one := Seen.of(verdict))]
            if page.next is None:
                break
            after = page.next
        return seen[:MAX_STORED]
