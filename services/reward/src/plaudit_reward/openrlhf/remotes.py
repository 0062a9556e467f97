"""Other people's reward servers, asked over OpenRLHF's wire."""

import asyncio
import itertools
import math
import time
from collections.abc import Mapping
from typing import Literal, Self

from plaudit.client import ClientOptions, HttpClient
from plaudit.config.names import unknown_name
from plaudit.errors import ConfigError, PlauditError, Unavailable
from plaudit_reward.openrlhf.spec import RemoteSpec
from plaudit_reward.openrlhf.wire import GetReward, RemoteRewards
from plaudit_reward.reward import Missing, Score

MAX_RESPONSE_BYTES = 16 * 2**20

Part = Literal["rewards", "scores"]


class RemoteClient(HttpClient):
    service = "remote reward"

    async def get_reward(self, batch: GetReward, timeout_s: float) -> RemoteRewards:
        try:
            return await self.post("", batch, RemoteRewards, timeout_s=timeout_s)
        except Unavailable as error:
            # What the base client advises is right for Plaudit's own services only.
            if error.fix is not None:
                error.fix = "start it, or correct its urls in [reward.remotes]"
            raise


class Remote:
    """The servers of one table."""

    def __init__(self, spec: RemoteSpec) -> None:
        """Raises ConfigError when its API key is missing."""
        options = ClientOptions(
            api_key=spec.read_api_key(),
            max_connections=spec.max_concurrency,
            max_response_bytes=MAX_RESPONSE_BYTES,
        )
        self.spec = spec
        self._clients = [RemoteClient(url, options) for url in spec.urls]
        self._places = asyncio.Semaphore(spec.max_concurrency)
        self._turn = itertools.count()

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def rewards(self, asked: GetReward, part: Part) -> list[Score]:
        """One score for each query, Missing where a server gives none."""
        found = await asyncio.gather(*(self._batch(batch, part) for batch in self._batches(asked)))
        return [score for scores in found for score in scores]

    def _batches(self, asked: GetReward) -> list[GetReward]:
        size = self.spec.max_batch
        prompts, labels = asked.prompts or [], asked.labels or []
        return [
            GetReward(
                query=asked.query[start : start + size],
                prompts=prompts[start : start + size],
                labels=labels[start : start + size],
            )
            for start in range(0, len(asked.query), size)
        ]

    async def _batch(self, batch: GetReward, part: Part) -> list[Score]:
        async with self._places:
            try:
                client, answer = await self._ask(batch)
            except PlauditError as error:
                return [Missing.of(error)] * len(batch.query)
        values = answer.rewards if part == "rewards" else answer.scores
        if values is None or len(values) != len(batch.query):
            gave = "no" if values is None else str(len(values))
            reason = f"{client.peer} gave {gave} {part} for {len(batch.query)} queries"
            return [Missing(reason, retryable=True)] * len(batch.query)
        return [_checked(value) for value in values]

    async def _ask(self, batch: GetReward) -> tuple[RemoteClient, RemoteRewards]:
        """The next server's answer, or that of the first after it that has one."""
        first, count = next(self._turn), len(self._clients)
        deadline_s = time.monotonic() + self.spec.timeout_s
        error: PlauditError | None = None
        for number in range(count):
            client = self._clients[(first + number) % count]
            left_s = (deadline_s - time.monotonic()) / (count - number)
            try:
                return client, await client.get_reward(batch, max(0.01, round(left_s, 2)))
            except Unavailable as failed:
                error = failed
        assert error is not None
        raise error


class Remotes:
    """All tables, each opened when it is first asked."""

    def __init__(self, specs: Mapping[str, RemoteSpec]) -> None:
        self._specs = specs
        self._open: dict[str, Remote] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for remote in self._open.values():
            await remote.aclose()

    def get(self, name: str) -> Remote:
        """Raises ConfigError for a name that no table has, or when its API key is missing."""
        if name not in self._specs:
            what = f"remote = {name[:40]!r}"
            raise ConfigError(
                unknown_name(what, name[:40], self._specs), fix="add a table [reward.remotes.NAME]"
            )
        if name not in self._open:
            self._open[name] = Remote(self._specs[name])
        return self._open[name]


def _checked(value: float | None) -> Score:
    if value is None or not math.isfinite(value):
        return Missing(f"the server gave {value}")
    return value
