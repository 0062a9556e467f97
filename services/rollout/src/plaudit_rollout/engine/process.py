"""One run of vLLM, with all its processes, none of which outlives this one."""

import asyncio
import os
import signal
import subprocess
from contextlib import suppress

from plaudit_rollout.engine.command import Command

_GUARD = 'read _; kill -KILL "-$1"'
_REAP_S = 2.0


class EngineProcess:
    """vLLM and its engine core share a process group of their own.

    Killing only the server leaves the core behind, which keeps gigabytes and the GPU. A guard,
    one shell that waits for the end of a pipe from here, kills the group when this process dies
    in whatever way.
    """

    def __init__(self, command: Command) -> None:
        self._process = subprocess.Popen(
            command.arguments,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "plaudit-engine-guard", str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while vLLM's server runs."""
        return self._process.poll()

    async def stop(self, timeout_s: float) -> None:
        """SIGTERM, after `timeout_s` SIGKILL; afterwards no process of the group is left."""
        if self.exit_code is None:
            self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._exited()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(_REAP_S):
                await self._exited()
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()

    async def _exited(self) -> None:
        while self.exit_code is None:
            await asyncio.sleep(0.02)
