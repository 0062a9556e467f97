"""The forked child that becomes the untrusted program."""

import atexit
import gc
import os
import resource
import signal
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import NoReturn

from plaudit_sandbox.launcher import kernel
from plaudit_sandbox.launcher.isolation import Isolation, restrict_program

MAIN = "main.py"
_PAGE_BYTES = resource.getpagesize()
_ADDRESS_SLACK_BYTES = 2 * 2**30
"""Stacks and arenas of threads reserve address space that they never use."""


@dataclass(frozen=True)
class Bounds:
    """Limits of one run; the launcher's own footprint comes on top of the memory."""

    wall_s: float
    cpu_s: float
    memory_bytes: int
    output_bytes: int
    disk_bytes: int
    max_processes: int


@dataclass(frozen=True)
class Program:
    """What is left to do when the child has unwound to the top of the launcher: run the code."""

    code: str

    def run(self) -> NoReturn:
        """Run the code as `__main__`, as a fresh interpreter would, and end the process."""
        main = ModuleType("__main__")
        main.__dict__.update(__file__=MAIN, __builtins__=__builtins__)
        sys.modules["__main__"] = main
        code = _execute(self.code, main)
        _end(code, main)


def _execute(code: str, main: ModuleType) -> int:
    """The exit code."""
    try:
        # The only place in Plaudit that runs a model's code, behind every protection.
        exec(compile(code, MAIN, "exec", dont_inherit=True), main.__dict__)  # noqa: S102
    except SystemExit as request:
        return _exit_code(request.code)
    except BaseException as error:  # why: report it as the interpreter does, less our own frame
        frames = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        return 1
    return 0


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _end(code: int, main: ModuleType) -> NoReturn:
    """End as the interpreter does, in its order: threads, exit handlers, globals, buffers.

    The interpreter's own tear-down is left out: in a fork it would copy every page of the
    launcher, which takes longer than most programs.
    """
    try:
        _join_threads()
        atexit._run_exitfuncs()
        main.__dict__.clear()
        gc.collect()
        sys.stdout.flush()
    except BaseException as error:  # why: what ends a process late is still the program's own fault
        sys.excepthook(type(error), error, error.__traceback__)
        code = code or 120
    sys.stderr.flush()
    os._exit(code)


def _join_threads() -> None:
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()


def become_program(
    code: str, bounds: Bounds, isolation: Isolation, directory: str, streams: tuple[int, int, int]
) -> Program:
    """Turn the calling child into the program: session, streams, limits, restrictions."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.chdir(directory)
    os.umask(0o077)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _limit(bounds)
    restrict_program(isolation, directory, may_fork=False)
    _forget_launcher(directory)
    return Program(code)


def _limit(bounds: Bounds) -> None:
    size_pages, _, _, _, _, data_pages, _ = _statm()
    memory = bounds.memory_bytes
    _set(resource.RLIMIT_DATA, memory + data_pages * _PAGE_BYTES)
    _set(resource.RLIMIT_AS, 2 * memory + size_pages * _PAGE_BYTES + _ADDRESS_SLACK_BYTES)
    # The soft limit of whole seconds ends with SIGXCPU, the hard one a second later with SIGKILL.
    cpu_s = max(1, -int(-bounds.cpu_s // 1))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    _set(resource.RLIMIT_FSIZE, bounds.disk_bytes)
    # The monitor and process 1 of the namespace count, too.
    _set(resource.RLIMIT_NPROC, bounds.max_processes + 2)
    _set(resource.RLIMIT_NOFILE, 256)
    for number in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        _set(number, 0)


def _statm() -> list[int]:
    with open("/proc/self/statm") as file:
        return [int(word) for word in file.read().split()]


def _set(number: int, value: int) -> None:
    _, hard = resource.getrlimit(number)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(number, (value, value))


def _forget_launcher(directory: str) -> None:
    """Leave what a fresh `python main.py` would have."""
    for name in [name for name in sys.modules if name.split(".")[0] == "plaudit_sandbox"]:
        del sys.modules[name]
    own = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    sys.path[:] = [directory, *(path for path in sys.path if path != own)]
    sys.argv[:] = [MAIN]
