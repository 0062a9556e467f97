"""What the API works out itself, of verdicts that were given before: no judge is asked."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from plaudit.schemas.judge_calibrate import CalibrateRequest, CalibrateResponse
from plaudit.schemas.judge_statistics import StatisticsRequest, StatisticsResponse
from plaudit_judge.calibrate import measure
from plaudit_judge.statistics.pairs import measure_pairs

T = TypeVar("T")


class Measuring:
    """One request at a time, in a thread: the API answers others meanwhile."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def statistics(self, request: StatisticsRequest) -> StatisticsResponse:
        return await self._run(partial(measure_pairs, request))

    async def calibration(self, request: CalibrateRequest) -> CalibrateResponse:
        """Of a request that asks nobody."""
        return await self._run(partial(measure, request.verdicts, request.grades, request.seed))

    async def _run(self, compute: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(compute)
