"""The forked child that becomes the untrusted program."""

import os
import resource
import signal
from dataclasses import dataclass
from typing import NoReturn, Protocol

from plaudit_sandbox.launcher import kernel
from plaudit_sandbox.launcher.isolation import Isolation, restrict_program
from plaudit_sandbox.launcher.job import Bounds, Job
from plaudit_sandbox.launcher.python import PythonProgram, forget_launcher

_PAGE_BYTES = resource.getpagesize()
_ADDRESS_SLACK_BYTES = 2 * 2**30
"""Stacks and arenas of threads reserve address space that they never use."""
_RESERVE_BYTES = 2**30
"""What a runtime may reserve beyond its limit; the memory that it uses is watched."""
_CANNOT_RUN = 127


class Program(Protocol):
    """What is left to do when the child has unwound to the top of the launcher."""

    def run(self) -> NoReturn: ...


@dataclass(frozen=True)
class Command:
    """A compiler, a runtime of another language, or what a compiler has made."""

    argv: list[str]
    env: dict[str, str]

    def run(self) -> NoReturn:
        # Python ignores these two, and what is ignored stays so in the new program.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execve(self.argv[0], self.argv, self.env)
        except OSError as error:
            os.write(2, f"cannot run {self.argv[0]}: {error.strerror}\n".encode())
        os._exit(_CANNOT_RUN)


def become_program(
    job: Job, bounds: Bounds, isolation: Isolation, directory: str, streams: tuple[int, int, int]
) -> Program:
    """Turn the calling child into the program: session, streams, limits, restrictions."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    max_handles = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.chdir(directory)
    os.umask(0o077)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _limit(job, bounds)
    os.closerange(3, max_handles)
    restrict_program(isolation, directory, may_fork=job.may_fork)
    # The monitor looks at what it maps; nobody else's program can name this process.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    if job.command is not None:
        return Command([*job.command, *job.args], job.environment(directory))
    forget_launcher(directory, [job.source, *job.args])
    return PythonProgram(job.source, str(job.files[job.source]))


def _limit(job: Job, bounds: Bounds) -> None:
    _limit_memory(job, bounds.memory_bytes + job.runtime_memory_bytes)
    # The soft limit of whole seconds ends with SIGXCPU, the hard one a second later with SIGKILL.
    cpu_s = max(1, -int(-bounds.cpu_s // 1))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    _set(resource.RLIMIT_FSIZE, bounds.disk_bytes)
    # The monitor and process 1 of the namespace count, too.
    _set(resource.RLIMIT_NPROC, bounds.max_processes + 2)
    _set(resource.RLIMIT_NOFILE, 256)
    if job.deep_stack:
        _, most = resource.getrlimit(resource.RLIMIT_STACK)
        resource.setrlimit(resource.RLIMIT_STACK, (most, most))
    for number in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        _set(number, 0)


def _limit_memory(job: Job, memory_bytes: int) -> None:
    if not job.limit_address_space:
        _set(resource.RLIMIT_DATA, memory_bytes + _RESERVE_BYTES)
        return
    size_pages, _, _, _, _, data_pages, _ = _statm() if job.command is None else [0] * 7
    _set(resource.RLIMIT_DATA, memory_bytes + data_pages * _PAGE_BYTES)
    reserved_bytes = size_pages * _PAGE_BYTES + _ADDRESS_SLACK_BYTES
    _set(resource.RLIMIT_AS, 2 * memory_bytes + reserved_bytes)


def _statm() -> list[int]:
    return [int(word) for word in kernel.read_proc("self/statm").split()]


def _set(number: int, value: int) -> None:
    _, hard = resource.getrlimit(number)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(number, (value, value))
