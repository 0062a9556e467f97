"""A place in a line for clients that do not understand 429.

SandboxFusion and Piston let requests wait without end, and their clients count on that: verl sends
64 at once and takes a refusal for a wrong answer. So their requests wait here, for a bounded time,
outside the service's own short queue, and at most `max_concurrency` of them try to get in.
"""

import asyncio

from plaudit.errors import QueueFull
from plaudit.schemas.sandbox import RunRequest, RunResult
from plaudit_sandbox.languages import Toolset
from plaudit_sandbox.runner import MAX_CALL_S, Runner

MAX_WAIT_S = 10.0
"""verl's client gives the service this much time on top of the program's own limits."""
_RETRY_S = 0.05


class Patience:
    """`runner.run`, with a wait in front of it."""

    def __init__(self, runner: Runner, max_concurrency: int) -> None:
        self.runner = runner
        self._gate = asyncio.Semaphore(max_concurrency)

    async def run(self, request: RunRequest, toolset: Toolset | None = None) -> RunResult:
        """
        Raises:
            QueueFull: no place within MAX_WAIT_S.
            Rejected, Unavailable: as `Runner.run`.
        """
        deadline_s = asyncio.get_running_loop().time() + MAX_WAIT_S
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._gate.acquire()
        except TimeoutError:
            raise QueueFull(
                f"No place became free within {MAX_WAIT_S:g} s.", retry_after_s=1.0
            ) from None
        try:
            return await self._run(request, toolset, deadline_s)
        finally:
            self._gate.release()

    async def _run(
        self, request: RunRequest, toolset: Toolset | None, deadline_s: float
    ) -> RunResult:
        while True:
            try:
                return await self.runner.run(request, MAX_CALL_S, toolset)
            except QueueFull:
                # The service's own callers fill the queue.
                if asyncio.get_running_loop().time() >= deadline_s:
                    raise
                await asyncio.sleep(_RETRY_S)
