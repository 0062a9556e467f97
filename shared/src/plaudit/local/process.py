"""One supervised process: what it is (`ProcessSpec`) and one life of it (`Child`)."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Self

from plaudit.errors import ConfigError
from plaudit.local.logs import LineSplitter
from plaudit.local.sweep import MARK, SCOPE, kill_marked

RestartPolicy = Literal["always", "on_failure", "never"]
ReadyCheck = Callable[[], Awaitable[str | None]]
"""Returns None when the process is ready, else the reason why it is not yet."""

CONFIGURATION_ERROR = 2
"""The exit code that says: starting me again cannot help, somebody must change a setting."""

_PR_SET_PDEATHSIG = 1
_TAIL_LINES = 40
_READ_BYTES = 64 * 2**10
_DRAIN_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class ProcessSpec:
    """What to run. Its environment is the supervisor's less `without_env` plus `env`."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    without_env: tuple[str, ...] = ()
    cwd: Path | None = None
    ready: ReadyCheck | None = None
    ready_timeout_s: float = 60.0
    restart: RestartPolicy = "always"
    depends_on: tuple[str, ...] = ()
    stop_timeout_s: float = 4.0
    fatal_exit_codes: frozenset[int] = frozenset({CONFIGURATION_ERROR})
    """Exit codes that stop everything instead of being answered by a restart."""


class Child:
    """A running process in a session of its own, its output read line by line."""

    def __init__(
        self,
        spec: ProcessSpec,
        mark: str,
        process: asyncio.subprocess.Process,
        output: BinaryIO,
        on_line: Callable[[str], None],
    ) -> None:
        self.spec = spec
        self.pid = process.pid
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._mark = mark
        self._process = process
        self._on_line = on_line
        self._pump = asyncio.create_task(self._read_output(output))

    @classmethod
    async def start(cls, spec: ProcessSpec, mark: str, on_line: Callable[[str], None]) -> Self:
        """Starts the process; it dies with this thread, so only the main thread may call this.

        Raises:
            ConfigError: the program or its directory does not exist.
            BlockingIOError: the machine has no room for another process.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("PR_SET_PDEATHSIG follows threads: only the main one may start")
        inherited = {k: v for k, v in os.environ.items() if k not in spec.without_env}
        env = {**inherited, **spec.env, MARK: mark, SCOPE: f"{mark}:{spec.name}"}
        parent = os.getpid()
        # A pipe of our own: asyncio's would keep `wait` from returning while a descendant holds it.
        output, inner = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=inner,
                stderr=inner,
                env=env,
                cwd=spec.cwd,
                start_new_session=True,
                preexec_fn=lambda: _die_with(parent),
            )
        except BlockingIOError:
            os.close(output)
            raise
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            os.close(output)
            raise ConfigError(
                f"{spec.name}: cannot start {spec.argv[0]}: {error.strerror} ({error.filename}).",
                fix="run `make setup`, which installs every service",
            ) from error
        finally:
            os.close(inner)
        return cls(spec, mark, process, os.fdopen(output, "rb", 0), on_line)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """The exit code (negative: minus the signal), once nothing of the process is left."""
        code = await self._process.wait()
        self._clean_up()
        # A descendant that escaped the sweep could hold the pipe open for ever.
        await asyncio.wait({self._pump}, timeout=_DRAIN_TIMEOUT_S)
        self._pump.cancel()
        return code

    def terminate(self) -> None:
        """Asks the process itself, which stops its own children in the order that it knows."""
        if self.alive:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """Kills the process with its group."""
        # Only while our child is unreaped is its pid, hence its group id, certain to be its own.
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _clean_up(self) -> None:
        """What the process started must not outlive it: it may hold ports, files or memory."""
        kill_marked(self._mark, f"{self._mark}:{self.spec.name}")

    async def _read_output(self, output: BinaryIO) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), output
        )
        splitter = LineSplitter()
        try:
            while data := await stream.read(_READ_BYTES):
                for line in splitter.feed(data):
                    self._take(line)
        finally:
            transport.close()
        for line in splitter.flush():
            self._take(line)

    def _take(self, line: str) -> None:
        self.tail.append(line)
        self._on_line(line)


def _die_with(parent: int) -> None:
    """Runs in the child before exec: the kernel kills it when the supervisor's thread ends."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)


_LIBC = ctypes.CDLL(None)  # loaded before any fork: a forked child must not import
