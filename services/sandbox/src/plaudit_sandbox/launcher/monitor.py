"""The monitor: one small process per step that starts, watches, ends and reports the program."""

import errno
import fcntl
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from plaudit_sandbox.launcher import kernel
from plaudit_sandbox.launcher.cgroup import Group
from plaudit_sandbox.launcher.end import end_all, inherit_orphans
from plaudit_sandbox.launcher.files import NotReturned, read_files, read_tree, write_files
from plaudit_sandbox.launcher.isolation import Isolation, isolate_run
from plaudit_sandbox.launcher.job import Bounds, Job
from plaudit_sandbox.launcher.program import Program, become_program
from plaudit_sandbox.launcher.scratch import Scratch
from plaudit_sandbox.launcher.watch import End, Output, Watch, own_memory_bytes

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_KERNEL_BYTES = 16 * 2**20
"""Pipes, page tables, stacks: what the kernel holds for a program."""
_REASONS = {
    "disk": "\nsandbox: the program's files passed disk_bytes\n",
    "processes": "\nsandbox: the program's processes passed max_processes\n",
}
"""Of ends that have no status of their own."""
_TAIL_CHARS = 16 * 2**10
"""Where the reason of a death is looked for: at the end of stderr."""


@dataclass(frozen=True)
class Site:
    """Where and how programs run, the same for all runs of a launcher."""

    isolation: Isolation
    directory: str
    disk_bytes: int
    max_processes: int
    max_concurrency: int

    def max_user_processes(self) -> int:
        """The kernel counts by user: of one run in its own user namespace, else of all runs."""
        runs = 1 if self.isolation.run_namespaces else self.max_concurrency
        return runs * self.max_processes


def monitor(connection: int, site: Site) -> Program:
    """Run the job that `connection` sends, answer it there, and exit.

    Returns only in the child that is to become the program. The answer is a `StepAnswer`,
    `{"refused": reason}` when the job cannot be run as it is, or `{"fault": reason}` when the
    sandbox itself failed.
    """
    try:
        return _run(connection, site)
    except BaseException as error:  # why: whatever fails here is ours, and the caller must know
        _answer(connection, {"fault": f"{type(error).__name__}: {error}"})


def _run(connection: int, site: Site) -> Program:
    job = Job.of(_read_all(connection))
    bounds = job.bounds(site.disk_bytes, site.max_user_processes())
    directory = _enter_directory(site)
    try:
        write_files(directory, job.files)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _answer(connection, {"refused": f"files: more than disk_bytes = {site.disk_bytes} hold"})
    first = _start_first_process() if site.isolation.run_namespaces else None
    if first is None:
        inherit_orphans()
    stdin = _memory_file(job.stdin)
    (out, out_of_program), (err, err_of_program) = os.pipe(), os.pipe()
    streams = stdin, out_of_program, err_of_program
    group = _new_group(job, bounds, site)
    started_s = time.monotonic()
    child = os.fork()
    if child == 0:
        if group is not None:
            group.enter()
        return become_program(job, bounds, site.isolation, directory, streams)
    for handle in streams:
        os.close(handle)
    outputs = _output(out, bounds), _output(err, bounds)
    scratch = Scratch(directory, site.disk_bytes) if first is None else None
    watch = _watch(job, bounds, (child, first), connection, outputs, scratch, site)
    result = _finish(watch, job, started_s, group)
    if group is not None:
        group.remove()
    answer = _with_files(result, job, directory)
    if scratch is not None:
        scratch.remove()
    _answer(connection, answer)


def _watch(
    job: Job,
    bounds: Bounds,
    pids: tuple[int, int | None],
    connection: int,
    outputs: tuple[Output, Output],
    scratch: Scratch | None,
    site: Site,
) -> Watch:
    return Watch(
        *pids,
        connection,
        outputs,
        bounds.wall_s,
        max_memory_bytes=bounds.memory_bytes + job.runtime_memory_bytes,
        # A fork shares its parent's memory, which is then not the program's; others do not.
        shared_memory_bytes=own_memory_bytes() if job.command is None else 0,
        max_processes=2 * site.max_processes,
        scratch=scratch,
    )


def _new_group(job: Job, bounds: Bounds, site: Site) -> Group | None:
    """What is watched is the memory that the program maps; this counts its files and buffers, too.

    The kernel ends it at this hard limit, however fast it got there.
    """
    if site.isolation.cgroups is None:
        return None
    memory_bytes = bounds.memory_bytes + job.runtime_memory_bytes + bounds.disk_bytes
    return site.isolation.cgroups.new_group(memory_bytes + _KERNEL_BYTES, site.max_processes)


def _finish(watch: Watch, job: Job, started_s: float, group: Group | None) -> dict[str, Any]:
    """Watch the program to its end and say how it went."""
    end = watch.wait()
    if group is not None:
        group.kill()
        end = "memory" if end == "exited" and group.out_of_memory() else end
    status, usage = end_all(watch.child, watch.first)
    wall_s = time.monotonic() - started_s
    out, err = watch.outputs
    out_fits, err_fits = out.read(), err.read()
    if end == "exited" and not (out_fits and err_fits):
        end = "output"
    return _verdict(end, status, usage, err.text(), job) | {
        "stdout": out.text(),
        "stderr": err.text() + _REASONS.get(end, ""),
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_memory_bytes": usage.ru_maxrss * 1024,
    }


def _verdict(
    end: End, status: int, usage: resource.struct_rusage, stderr: str, job: Job
) -> dict[str, Any]:
    """`status` and `exit_code`. Death by signal n is exit code -n; a kill of ours is null."""
    if end != "exited":
        with_name = end in ("timeout", "memory", "output")
        return {"status": end if with_name else "killed", "exit_code": None}
    code = os.waitstatus_to_exitcode(status)
    cpu_spent = usage.ru_utime + usage.ru_stime >= job.limits["cpu_s"]
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and cpu_spent):
        return {"status": "timeout", "exit_code": code}
    if code and re.search(job.out_of_memory, stderr[-_TAIL_CHARS:]):
        return {"status": "memory", "exit_code": code}
    if code < 0:
        return {"status": "killed", "exit_code": code}
    return {"status": "error" if code else "ok", "exit_code": code}


def _with_files(result: dict[str, Any], job: Job, directory: str) -> dict[str, Any]:
    files, missing = read_files(directory, job.files_out, job.max_files_out_bytes)
    answer = {"result": result, "files": files, "files_missing": missing, "build": {}}
    if job.build is None or result["status"] != "ok":
        return answer
    try:
        return answer | {"build": read_tree(directory, job.build, job.max_files_out_bytes)}
    except NotReturned as reason:
        stderr = f"{result['stderr']}\nsandbox: {reason}\n"
        return answer | {"result": result | {"status": "output", "stderr": stderr}}


def _enter_directory(site: Site) -> str:
    if not site.isolation.run_namespaces:
        return tempfile.mkdtemp(dir=site.directory)
    isolate_run(site.directory, site.disk_bytes)
    # From here no other process of this user may look into this one.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    return site.directory


def _start_first_process() -> int:
    """Process 1 of the pid namespace. It does nothing; when it dies, all in there die."""
    pid = os.fork()
    if pid == 0:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        os.closerange(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        kernel.drop_capabilities()
        while True:
            signal.pause()
    return pid


def _memory_file(text: str) -> int:
    handle = os.memfd_create("stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    _write_all(handle, text.encode("utf-8", errors="surrogatepass"))
    os.lseek(handle, 0, os.SEEK_SET)
    # It is memory that no limit of the program's counts.
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, _SEALS)
    return handle


def _output(handle: int, bounds: Bounds) -> Output:
    os.set_blocking(handle, False)
    return Output(handle, bounds.output_bytes)


def _answer(connection: int, answer: dict[str, Any]) -> NoReturn:
    try:
        _write_all(connection, json.dumps(answer).encode())
    except OSError as error:
        sys.stderr.write(f"sandbox: nobody waits for this result any more: {error}\n")
    finally:
        os._exit(0)


def _read_all(handle: int) -> bytes:
    chunks = []
    while chunk := os.read(handle, 2**20):
        chunks.append(chunk)
    return b"".join(chunks)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
