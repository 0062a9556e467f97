"""Keeps a set of processes running: ordered start, restart with back-off, one clean stop.

Invariant: when `Supervisor.run` returns or raises, or the supervisor is killed, none of its
processes or their descendants is left.
"""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from plaudit.errors import ConfigError, PlauditError
from plaudit.local import sweep
from plaudit.local.backoff import Backoff
from plaudit.local.directory import make_directory
from plaudit.local.logs import RotatingLog, printable
from plaudit.local.process import CONFIGURATION_ERROR, Child, ProcessSpec

State = Literal["waiting", "starting", "ready", "backing off", "done", "failed", "stopped"]
_READY_POLL_S = 0.2
_SHOWN_LINES = 15


class ProcessFailed(PlauditError):
    """A process ended in a way that a restart does not mend."""

    def __init__(self, name: str, exit_code: int, message: str, *, fix: str) -> None:
        super().__init__(message, fix=fix)
        self.name = name
        self.exit_code = exit_code


@dataclass(frozen=True)
class SupervisorOptions:
    stop_timeout_s: float = 7.0
    """All processes together have this long to stop, then they are killed."""
    max_failures: int = 8
    """Failures in a row, without a healthy life between them, before giving up."""
    backoff_first_s: float = 1.0
    backoff_max_s: float = 15.0
    healthy_s: float = 30.0


@dataclass
class Process:
    """A spec with what has become of it so far."""

    spec: ProcessSpec
    log: RotatingLog
    backoff: Backoff
    state: State = "waiting"
    child: Child | None = None
    restarts: int = 0
    exit_code: int | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Runs `specs` until `request_stop`, a failure, or until every process is done.

    `on_line(name, line)` gets every line of output, made safe for a terminal; `on_event(text)` what
    a person wants to know: starts, deaths, restarts.
    """

    def __init__(
        self,
        specs: Iterable[ProcessSpec],
        *,
        log_dir: Path,
        on_line: Callable[[str, str], None] = lambda name, line: None,
        on_event: Callable[[str], None] = lambda text: None,
        options: SupervisorOptions | None = None,
    ) -> None:
        self.options = options or SupervisorOptions()
        self._mark = uuid.uuid4().hex
        self._on_line = on_line
        self._on_event = on_event
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failure: BaseException | None = None
        make_directory(log_dir)
        self._processes = {spec.name: self._new_process(spec, log_dir) for spec in specs}
        self._check_dependencies()

    @property
    def processes(self) -> dict[str, Process]:
        return self._processes

    @property
    def restarts(self) -> dict[str, int]:
        return {name: p.restarts for name, p in self._processes.items() if p.restarts}

    def request_stop(self) -> None:
        """Stops everything; asking a second time kills what is still stopping."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self) -> None:
        """Raises ConfigError when a process exits with code 2, ProcessFailed for other failures."""
        janitor = _start_janitor(self._mark)
        keepers = [asyncio.create_task(self._keep(p)) for p in self._processes.values()]
        for keeper in keepers:
            keeper.add_done_callback(self._keeper_ended)
        try:
            await self._until_over(keepers)
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await self._stop_all()
            _end_janitor(janitor)
        if self._failure is not None:
            raise self._failure

    async def wait_ready(self, names: Iterable[str] | None = None) -> None:
        """Returns when the named processes (default: all) have been ready once.

        The bound is in `run`, which fails when one is not ready in its time: race the two.
        """
        for name in names if names is not None else list(self._processes):
            await self._processes[name].ready.wait()

    async def _until_over(self, keepers: list[asyncio.Task[None]]) -> None:
        stop = asyncio.create_task(self._stop.wait())
        everything_done = asyncio.create_task(_all_done(keepers))
        try:
            await asyncio.wait({stop, everything_done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            everything_done.cancel()

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            self._failure = self._failure or error
            self._stop.set()

    async def _keep(self, process: Process) -> None:
        for name in process.spec.depends_on:
            await self._processes[name].ready.wait()
        while True:
            started = time.monotonic()
            process.exit_code, problem = await self._live_once(process)
            if self._is_final(process):
                return
            pause_s = process.backoff.after_life_of(time.monotonic() - started)
            if process.backoff.num_failures > self.options.max_failures:
                raise self._gave_up(process, problem)
            process.state = "backing off"
            process.restarts += 1
            self._on_event(f"{process.spec.name} {problem}; starting it again in {pause_s:.0f} s")
            await asyncio.sleep(pause_s)

    async def _live_once(self, process: Process) -> tuple[int, str]:
        """One life of the process: its exit code and, in words, how it ended."""
        process.state = "starting"
        try:
            child = await Child.start(
                process.spec, self._mark, lambda line: self._take(process, line)
            )
        except BlockingIOError:
            return os.EX_OSERR, "could not be started: no room for another process (ulimit -u)"
        process.child = child
        process.log.write(f"--- plaudit started {process.spec.name}, process {child.pid}")
        exited = asyncio.create_task(child.wait())
        readiness = asyncio.create_task(self._await_ready(process))
        try:
            await asyncio.wait({exited, readiness}, return_when=asyncio.FIRST_COMPLETED)
            problem = readiness.result() if readiness.done() else None
            if problem is not None:
                child.kill()
            code = await asyncio.shield(exited)
        finally:
            readiness.cancel()
        return code, problem or _how_it_ended(code)

    async def _await_ready(self, process: Process) -> str | None:
        """None once ready, else why it was not ready within its time."""
        spec = process.spec
        deadline = time.monotonic() + spec.ready_timeout_s
        while spec.ready is not None and (reason := await spec.ready()) is not None:
            if time.monotonic() > deadline:
                return f"was not ready after {spec.ready_timeout_s:.0f} s ({printable(reason)})"
            await asyncio.sleep(_READY_POLL_S)
        process.state = "ready"
        process.ready.set()
        self._on_event(f"{spec.name} is {'ready' if spec.ready else 'running'}")
        return None

    def _is_final(self, process: Process) -> bool:
        code, spec = process.exit_code, process.spec
        if code in spec.fatal_exit_codes:
            process.state = "failed"
            raise self._fatal(process)
        if spec.restart == "always" or (spec.restart == "on_failure" and code != 0):
            return False
        process.state = "done" if code == 0 else "failed"
        self._on_event(f"{spec.name} {_how_it_ended(code or 0)}")
        return True

    def _fatal(self, process: Process) -> PlauditError:
        name, code = process.spec.name, process.exit_code or 0
        if code == CONFIGURATION_ERROR and (error := _told_error(process)) is not None:
            return error
        message = f"{name} stopped, exit code {code}. It said:\n{_last_lines(process)}\n"
        if code == CONFIGURATION_ERROR:
            return ConfigError(message, fix="change the setting that it names above")
        fix = f"see the message above; its whole log is {process.log.path}"
        return ProcessFailed(name, code, message, fix=fix)

    def _gave_up(self, process: Process, problem: str) -> ProcessFailed:
        name, times = process.spec.name, process.backoff.num_failures
        message = (
            f"{name} failed {times} times in a row; the last time it {problem}. "
            f"Its last lines:\n{_last_lines(process)}\n"
        )
        fix = f"see the lines above; its whole log is {process.log.path}"
        return ProcessFailed(name, process.exit_code or 1, message, fix=fix)

    async def _stop_all(self) -> None:
        deadline = time.monotonic() + self.options.stop_timeout_s
        running = [p for p in self._processes.values() if p.child is not None and p.child.alive]
        for process in self._processes.values():
            if process not in running:
                process.ended.set()
        await asyncio.gather(*(self._stop_one(p, deadline) for p in running))
        sweep.kill_marked(self._mark)
        for process in self._processes.values():
            process.log.close()

    async def _stop_one(self, process: Process, deadline: float) -> None:
        """SIGTERM once its dependents are gone, SIGKILL when its time or everybody's is up."""
        child = process.child
        assert child is not None
        for other in self._processes.values():
            if process.spec.name in other.spec.depends_on:
                await other.ended.wait()
        exited = asyncio.create_task(child.wait())
        hurry = asyncio.create_task(self._hurry.wait())
        child.terminate()
        budget_s = min(process.spec.stop_timeout_s, max(0.0, deadline - time.monotonic()))
        await asyncio.wait({exited, hurry}, timeout=budget_s, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not exited.done():
            self._on_event(f"{process.spec.name} did not stop in time: killed")
            child.kill()
        process.exit_code = await exited
        process.state = "stopped"
        process.ended.set()

    def _take(self, process: Process, line: str) -> None:
        process.log.write(line)
        self._on_line(process.spec.name, printable(line))

    def _new_process(self, spec: ProcessSpec, log_dir: Path) -> Process:
        options = self.options
        backoff = Backoff(options.backoff_first_s, options.backoff_max_s, options.healthy_s)
        return Process(spec, RotatingLog(log_dir / f"{spec.name}.log"), backoff)

    def _check_dependencies(self) -> None:
        """Dependencies come first in `specs`, so that there can be no cycle."""
        seen: set[str] = set()
        for name, process in self._processes.items():
            if missing := set(process.spec.depends_on) - seen:
                raise ValueError(f"{name} comes before what it depends on: {sorted(missing)}")
            seen.add(name)


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


def _how_it_ended(code: int) -> str:
    if code == 0:
        return "ended"
    return f"was killed by signal {-code}" if code < 0 else f"died with exit code {code}"


def _told_error(process: Process) -> ConfigError | None:
    told = told_error([] if process.child is None else process.child.tail)
    return None if told is None else ConfigError(f"{process.spec.name}: {told[0]}", fix=told[1])


def told_error(output: Iterable[str]) -> tuple[str, str | None] | None:
    """Message and fix of the error that a process ended with, when it told it as
    `plaudit.service.exit` does."""
    lines = [printable(line) for line in output]
    starts = [i for i, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        return None
    message, _, fix = "\n".join(lines[starts[-1] :]).removeprefix("error: ").partition("\nfix: ")
    return message, fix or None


def _last_lines(process: Process) -> str:
    lines = [] if process.child is None else list(process.child.tail)[-_SHOWN_LINES:]
    return "\n".join(f"  {printable(line)}" for line in lines) or "  (nothing)"


def _start_janitor(mark: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-I", "-S", sweep.__file__, mark]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env={}, start_new_session=True
    )


def _end_janitor(janitor: subprocess.Popen[bytes]) -> None:
    assert janitor.stdin is not None
    janitor.stdin.close()
    try:
        janitor.wait(timeout=2.0)
    except subprocess.TimeoutExpired:
        janitor.kill()
        janitor.wait()
