"""Runs programs: a bounded number at once, a bounded line behind them, a launcher that is up."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from plaudit.errors import QueueFull, Rejected, Unavailable
from plaudit.schemas.sandbox import Language, LanguageInfo, RunRequest, RunResult, StepResult
from plaudit.telemetry import get_logger
from plaudit_sandbox.builds import Builds
from plaudit_sandbox.call import Call
from plaudit_sandbox.files import check_files
from plaudit_sandbox.languages import TOOLSETS, Toolset
from plaudit_sandbox.launch import Launcher
from plaudit_sandbox.metrics import observe_queue, observe_run
from plaudit_sandbox.probes import Probes
from plaudit_sandbox.protections import check_minimum, tier
from plaudit_sandbox.settings import SandboxSettings
from plaudit_sandbox.steps import StepAnswer, step_answer, version_job
from plaudit_sandbox.toolchains import Toolchain, find_toolchains

MAX_CALL_S = 600.0
"""Of one call, with the time it waits for a place: no case starts that could end later."""
OVERHEAD_S = 10.0
"""Beyond a step's own wall limit, until the sandbox itself counts as hung."""

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
        self._probes = Probes({}, self._try)
        self._builds = Builds(settings.max_builds_bytes)
        self._readable: tuple[str, ...] = ()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._launcher is not None:
            await self._launcher.stop()

    async def start(self) -> tuple[str, ...]:
        """The active protections.

        Raises:
            ConfigError: fewer than `min_isolation` asks for.
            Unavailable: the launcher does not start.
        """
        toolchains = await asyncio.to_thread(find_toolchains)
        self._probes = Probes(toolchains, self._try)
        found = [one for one in toolchains.values() if isinstance(one, Toolchain)]
        self._readable = tuple(dict.fromkeys(root for one in found for root in one.roots))
        return (await self._running_launcher()).protections

    @property
    def protections(self) -> tuple[str, ...]:
        return self._launcher.protections if self._launcher is not None else ()

    async def check(self) -> None:
        """For /readyz: raises Unavailable while there is no launcher."""
        await self._running_launcher()

    async def languages(self) -> dict[Language, LanguageInfo]:
        """Which of them work here. Raises Unavailable when that cannot be found out."""
        return await self._probes.all()

    async def run(
        self,
        request: RunRequest,
        deadline_s: float = MAX_CALL_S,
        toolset: Toolset | None = None,
    ) -> RunResult:
        """Within `deadline_s` from now, as far as its cases allow.

        `toolset`: another way to compile and run programs of the request's language.

        Raises:
            Rejected: no such language here, too many cases, or files that cannot be.
            QueueFull: too many wait already.
            Unavailable: the sandbox itself failed; says nothing about the program.
        """
        end_s = time.monotonic() + min(deadline_s, MAX_CALL_S)
        toolset = toolset or TOOLSETS[request.language]
        self._check(request, toolset)
        toolchain = await self._probes.toolchain(request.language)
        async with self._place():
            result = await self._call(request, toolset, toolchain, end_s)
        for one in _runs(result):
            observe_run(one)
        return result

    def _check(self, request: RunRequest, toolset: Toolset) -> None:
        num_cases, maximum = len(request.cases), self._settings.max_cases
        if num_cases > maximum:
            raise Rejected(f"cases: {num_cases} of them, at most {maximum} (max_cases).")
        check_files(request, toolset.source, self._settings.max_files)

    async def _try(self, request: RunRequest, toolchain: Toolchain) -> tuple[RunResult, str]:
        """A run that does not count, for the probes, and what the tools say of their version."""
        toolset = TOOLSETS[request.language]
        result = await self._call(request, toolset, toolchain, time.monotonic() + MAX_CALL_S)
        if not toolset.version:
            return result, result.stderr
        told = (await self._step(version_job(request, toolset, toolchain))).result
        return result, told.stdout + told.stderr

    async def _call(
        self, request: RunRequest, toolset: Toolset, toolchain: Toolchain, end_s: float
    ) -> RunResult:
        found = tier((await self._running_launcher()).protections)
        call = Call(request, toolset, toolchain, found, self._step, self._builds, end_s)
        return await call.run()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the `max_concurrency` places. Raises QueueFull."""
        await self._take_place()
        try:
            yield
        finally:
            self._num_running -= 1
            self._places.release()
            observe_queue(self._num_running, self._num_waiting)

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

    async def _step(self, job: dict[str, Any]) -> StepAnswer:
        launcher = await self._running_launcher()
        timeout_s = job["limits"]["wall_s"] + OVERHEAD_S
        try:
            async with asyncio.timeout(timeout_s):
                answer = await _exchange(launcher, json.dumps(job).encode())
        except TimeoutError:
            raise Unavailable(
                f"The sandbox did not end the program within {timeout_s:g} s."
            ) from None
        except OSError as error:
            raise Unavailable(f"The sandbox broke the run off: {error}.") from error
        return step_answer(answer)

    async def _running_launcher(self) -> Launcher:
        async with self._starting:
            if self._launcher is not None and self._launcher.alive:
                return self._launcher
            if self._launcher is not None:
                log.error("launcher_died", exit_code=self._launcher.process.returncode)
                await self._launcher.stop()
                self._launcher = None
            launcher = await Launcher.start(self._settings, self._readable)
            try:
                check_minimum(self._settings.min_isolation, launcher.protections)
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


def _runs(result: RunResult) -> list[StepResult]:
    """What the call has run, a program that did not compile as one."""
    if not result.cases or result.status == "compile_error":
        return [result]
    return [case for case in result.cases if case.status != "skipped"]
