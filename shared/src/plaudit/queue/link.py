"""Runs the queue's scripts in Redis, through restarts and dropped connections.

Each script is one atomic step, and safe to send twice: a call whose answer was lost is
simply sent again.
"""

import asyncio
import random
from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from time import monotonic
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import (
    ConnectionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
)

from plaudit.errors import Unavailable

# A script run as EVALSHA is refused with these texts when Redis protects itself.
_REFUSALS = ("OOM", "MISCONF", "NOREPLICAS")
ANSWER_S = 5.0
DROPPED = (ConnectionError, TimeoutError, ReadOnlyError, OSError)

Argument = bytes | str | int | float


@cache
def source(name: str) -> str:
    """The text of a script, behind the prelude that all share."""
    folder = files(__package__) / "scripts"
    files_of_script = (folder / "_prelude.lua", folder / f"{name}.lua")
    return "".join(file.read_text(encoding="utf-8") for file in files_of_script)


@cache
def digest(name: str) -> str:
    return sha1(source(name).encode(), usedforsecurity=False).hexdigest()


def backoff_s(attempt: int) -> float:
    """Seconds before attempt number `attempt` (from 1): doubling to 1 s, half of it random."""
    ceiling: float = min(1.0, 0.02 * 2**attempt)
    return ceiling * random.uniform(0.5, 1.0)


class Link:
    """`reconnect_s` bounds how long a call tries to reach Redis."""

    def __init__(self, redis: Redis, queue: str, reconnect_s: float) -> None:
        self.redis = redis
        self.queue = queue
        self.prefix = f"plaudit:q:{queue}:"
        self._reconnect_s = reconnect_s

    async def run(self, script: str, args: Sequence[Argument]) -> Any:
        """Raises Unavailable when Redis cannot be reached or refuses to write."""
        deadline = monotonic() + self._reconnect_s
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(self._reconnect_s):
                    return await self._evaluate(script, args)
            except DROPPED as error:
                attempt += 1
                if monotonic() > deadline:
                    raise self._unreachable(script, error) from error
                await asyncio.sleep(backoff_s(attempt))
            except ResponseError as error:
                if isinstance(error, OutOfMemoryError) or str(error).startswith(_REFUSALS):
                    raise self._refused(script, error) from error
                raise

    async def sleep_until_woken(self, timeout_s: float) -> None:
        """Returns when there may be work, after `timeout_s`, or soon when Redis is away."""
        try:
            async with asyncio.timeout(timeout_s + ANSWER_S):
                # 0 would block for ever
                await self.redis.blpop([f"{self.prefix}wake"], timeout=max(timeout_s, 0.001))
        except DROPPED:
            await asyncio.sleep(min(timeout_s, 0.05))

    async def aclose(self) -> None:
        await self.redis.aclose()

    async def _evaluate(self, script: str, args: Sequence[Argument]) -> Any:
        try:
            return await self.redis.evalsha(digest(script), 1, self.prefix, *args)
        except NoScriptError:
            # EVAL caches the script, too, and cannot be overtaken by another SCRIPT FLUSH
            return await self.redis.eval(source(script), 1, self.prefix, *args)

    def _unreachable(self, script: str, error: Exception) -> Unavailable:
        return Unavailable(
            f"Redis did not answer for {self._reconnect_s:g} s ({script} on queue {self.queue}): "
            f"{type(error).__name__}.",
            fix="start Redis or check redis_url; what was queued is kept in its append-only file",
            retry_after_s=1.0,
        )

    def _refused(self, script: str, error: Exception) -> Unavailable:
        return Unavailable(
            f"Redis refused {script} on queue {self.queue}: {error}",
            fix="give Redis more memory or disk; plaudit doctor shows both",
            retry_after_s=5.0,
        )
