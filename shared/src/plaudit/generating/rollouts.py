"""The rollout service: groups are submitted, and come back in any order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from plaudit.client import RolloutClient
from plaudit.errors import DeadlineExceeded, Rejected
from plaudit.generating.generator import seed_of
from plaudit.generating.prompts import PromptRow
from plaudit.schemas.generate import Ask, GeneratedText
from plaudit.schemas.rollout import RolloutAck, RolloutGroup, RolloutPrompt, RolloutRequest

_WAIT_S = 10.0
_MAX_LEASED = 64


class RolloutGenerator:
    """`run_id` is the job's own: what an earlier run of it has asked for is its answer, too."""

    def __init__(self, client: RolloutClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._finished: dict[str, asyncio.Future[RolloutGroup]] = {}

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[None]:
        """`generate` works in here."""
        self._collector = asyncio.create_task(self._collect())
        try:
            yield
        finally:
            self._collector.cancel()
            await asyncio.gather(self._collector, return_exceptions=True)

    async def generate(self, row: PromptRow, key: str, ask: Ask) -> list[GeneratedText]:
        sampling = ask.sampling.model_copy(update={"seed": seed_of(ask, row)})
        prompt = RolloutPrompt(group_id=key, prompt=row.prompt, n=ask.n, sampling=sampling)
        request = RolloutRequest(run_id=self._run_id, groups=[prompt], lane="eval")
        await self._client.submit(request)
        group = await self._group(key)
        if group.error is not None:
            raise Rejected(group.error)
        return [
            GeneratedText(text=one.text, finish_reason=one.finish_reason)
            for one in group.completions
        ]

    async def _group(self, key: str) -> RolloutGroup:
        future, timeout_s = self._future(key), self._client.options.timeout_s
        either: set[asyncio.Future[Any]] = {future, self._collector}
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait(either, timeout=timeout_s, return_when=first)
        if not future.done() and self._collector.done():
            self._collector.result()  # raises what ended it
        if not future.done():
            raise DeadlineExceeded(
                f"{self._client.peer} did not finish the row within --timeout-s = {timeout_s:g}.",
                fix="check that an engine and its worker run (`plaudit queue`)",
            )
        return future.result()

    async def settle(self, key: str) -> None:
        self._finished.pop(key, None)
        await self._client.ack(RolloutAck(run_id=self._run_id, group_ids=[key]))

    async def _collect(self) -> None:
        consumer = uuid4().hex
        while True:
            found = await self._client.finished(self._run_id, _MAX_LEASED, _WAIT_S, consumer)
            for group in found.groups:
                future = self._future(group.group_id)
                if not future.done():
                    future.set_result(group)

    def _future(self, key: str) -> "asyncio.Future[RolloutGroup]":
        """Made by whoever comes first: a group of an earlier run is here before it is asked for."""
        return self._finished.setdefault(key, asyncio.get_running_loop().create_future())
