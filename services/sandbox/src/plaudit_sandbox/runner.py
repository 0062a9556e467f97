"""Runs programs: a bounded number at once, a bounded line behind them, a launcher that is up."""

import asyncio
import json
import socket
from typing import Self

from pydantic import ValidationError

from plaudit.errors import QueueFull, Unavailable
from plaudit.schemas.sandbox import RunRequest, RunResult
from plaudit.telemetry import get_logger
from plaudit_sandbox.files import check_files
from plaudit_sandbox.launch import Launcher
from plaudit_sandbox.metrics import observe_queue, observe_run
from plaudit_sandbox.protections import check_minimum, tier
from plaudit_sandbox.settings import SandboxSettings

OVERHEAD_S = 10.0
"""Beyond the program's own wall limit, until the sandbox itself counts as hung."""

log = get_logger(__name__)


class Runner:
    """`async with Runner(settings) as runner: await runner.run(request)`."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(settings.max_concurrency)
        self._num_waiting = 0
        self._num_running = 0
        self._launcher: Launcher | None = None
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._launcher is not None:
            await self._launcher.stop()

    async def start(self) -> tuple[str, ...]:
        """The active protections.

        Raises:
            ConfigError: fewer than `min_protection` asks for.
            Unavailable: the launcher does not start.
        """
        return (await self._running_launcher()).protections

    @property
    def protections(self) -> tuple[str, ...]:
        return self._launcher.protections if self._launcher is not None else ()

    async def check(self) -> None:
        """For /readyz: raises Unavailable while there is no launcher."""
        await self._running_launcher()

    async def run(self, request: RunRequest) -> RunResult:
        """
        Raises:
            Rejected: a file's path leads out of the working directory, or is no path.
            QueueFull: too many wait already.
            Unavailable: the sandbox itself failed; says nothing about the program.
        """
        check_files(request.files, self._settings.max_files)
        await self._take_place()
        try:
            result = await self._run_in_place(request)
        finally:
            self._num_running -= 1
            self._places.release()
            observe_queue(self._num_running, self._num_waiting)
        observe_run(result)
        return result

    async def _take_place(self) -> None:
        if self._places.locked() and self._num_waiting >= self._settings.max_waiting:
            raise QueueFull(
                f"{self._num_waiting} programs wait already (max_waiting).",
                fix="send it again later, or add sandbox replicas.",
                retry_after_s=1.0,
            )
        self._num_waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._num_waiting -= 1
        self._num_running += 1
        observe_queue(self._num_running, self._num_waiting)

    async def _run_in_place(self, request: RunRequest) -> RunResult:
        launcher = await self._running_launcher()
        timeout_s = request.limits.wall_s + OVERHEAD_S
        try:
            async with asyncio.timeout(timeout_s):
                answer = await _exchange(launcher, request.model_dump_json().encode())
        except TimeoutError:
            raise Unavailable(
                f"The sandbox did not end the program within {timeout_s:g} s."
            ) from None
        except OSError as error:
            raise Unavailable(f"The sandbox broke the run off: {error}.") from error
        return _result(answer, tier(launcher.protections))

    async def _running_launcher(self) -> Launcher:
        async with self._starting:
            if self._launcher is not None and self._launcher.alive:
                return self._launcher
            if self._launcher is not None:
                log.error("launcher_died", exit_code=self._launcher.process.returncode)
                await self._launcher.stop()
                self._launcher = None
            launcher = await Launcher.start(self._settings)
            try:
                check_minimum(self._settings.min_protection, launcher.protections)
            except BaseException:
                await launcher.stop()
                raise
            self._launcher = launcher
            return launcher


async def _exchange(launcher: Launcher, job: bytes) -> bytes:
    """Send the job to a fresh monitor and read its answer to the end."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            launcher.hand_over(theirs)
        except BaseException:
            ours.close()
            raise
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    try:
        writer.write(job)
        writer.write_eof()
        return await reader.read()
    finally:
        # Closing makes the monitor end the program when nobody waits for it any more.
        writer.close()


def _result(answer: bytes, tier: str) -> RunResult:
    if not answer:
        raise Unavailable("The sandbox's monitor of this run died.")
    found = json.loads(answer)
    try:
        return RunResult(**found, tier=tier)
    except ValidationError:
        fault = found.get("fault", "an answer that is no result")
        raise Unavailable(f"The sandbox failed: {fault}.") from None
