"""The monitor: one small process per run that starts, watches, ends and reports the program."""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from plaudit_sandbox.launcher import kernel
from plaudit_sandbox.launcher.isolation import Isolation, isolate_run
from plaudit_sandbox.launcher.program import MAIN, Bounds, Program, become_program
from plaudit_sandbox.launcher.watch import End, Output, Watch, own_memory_bytes


@dataclass(frozen=True)
class Site:
    """Where and how programs run, the same for all runs of a launcher."""

    isolation: Isolation
    directory: str
    disk_bytes: int
    max_processes: int


def monitor(connection: int, site: Site) -> Program:
    """Run the job that `connection` sends, answer it there, and exit.

    Returns only in the child that is to become the program. The answer is a `RunResult`, or
    `{"fault": reason}` when the sandbox itself failed.
    """
    try:
        return _run(connection, site)
    except BaseException as error:  # why: whatever fails here is ours, and the caller must know
        _answer(connection, {"fault": f"{type(error).__name__}: {error}"})


def _run(connection: int, site: Site) -> Program:
    job = json.loads(_read_all(connection))
    bounds = Bounds(**job["limits"], disk_bytes=site.disk_bytes, max_processes=site.max_processes)
    directory = _enter_directory(site)
    _write_files(directory, job["files"] | {MAIN: job["code"]})
    first = _start_first_process() if site.isolation.run_namespaces else None
    stdin = _memory_file(job["stdin"])
    (out, out_of_program), (err, err_of_program) = os.pipe(), os.pipe()
    streams = stdin, out_of_program, err_of_program
    started_s = time.monotonic()
    child = os.fork()
    if child == 0:
        return become_program(job["code"], bounds, site.isolation, directory, streams)
    for handle in streams:
        os.close(handle)
    outputs = _output(out, bounds), _output(err, bounds)
    watch = Watch(child, first, connection, outputs, bounds, own_memory_bytes())
    result = _finish(watch, started_s)
    if first is None:
        shutil.rmtree(directory, ignore_errors=True)
    _answer(connection, result)


def _finish(watch: Watch, started_s: float) -> dict[str, Any]:
    """Watch the program to its end and say how it went."""
    end = watch.wait()
    status, usage = _end_all(watch.child, watch.first)
    wall_s = time.monotonic() - started_s
    out, err = watch.outputs
    out_fits, err_fits = out.read(), err.read()
    if end == "exited" and not (out_fits and err_fits):
        end = "output"
    return _verdict(end, status, usage, err.text(), watch.bounds) | {
        "stdout": out.text(),
        "stderr": err.text(),
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_memory_bytes": usage.ru_maxrss * 1024,
    }


def _verdict(
    end: End, status: int, usage: resource.struct_rusage, stderr: str, bounds: Bounds
) -> dict[str, Any]:
    """`status` and `exit_code`. Death by signal n is exit code -n; a kill of ours is null."""
    if end != "exited":
        return {"status": "killed" if end == "abandoned" else end, "exit_code": None}
    code = os.waitstatus_to_exitcode(status)
    cpu_spent = usage.ru_utime + usage.ru_stime >= bounds.cpu_s
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and cpu_spent):
        return {"status": "timeout", "exit_code": code}
    if code < 0:
        return {"status": "killed", "exit_code": code}
    if code and stderr.rstrip().rpartition("\n")[2].startswith("MemoryError"):
        return {"status": "memory", "exit_code": code}
    return {"status": "error" if code else "ok", "exit_code": code}


def _enter_directory(site: Site) -> str:
    if not site.isolation.run_namespaces:
        return tempfile.mkdtemp(dir=site.directory)
    isolate_run(site.directory, site.disk_bytes)
    # From here no other process of this user may look into this one.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    return site.directory


def _write_files(directory: str, files: dict[str, str]) -> None:
    """The API has refused absolute paths and `..`; the directory is new, so no link can mislead."""
    for name, text in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


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


def _end_all(child: int, first: int | None) -> tuple[int, resource.struct_rusage]:
    """Kill whatever still runs and collect the program's exit status and usage."""
    if first is not None:
        os.kill(first, signal.SIGKILL)
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # It has not reached setsid yet, or it is gone.
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    if first is not None:
        os.waitpid(first, 0)
    return status, usage


def _memory_file(text: str) -> int:
    handle = os.memfd_create("stdin")
    _write_all(handle, text.encode("utf-8", errors="surrogatepass"))
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def _output(handle: int, bounds: Bounds) -> Output:
    os.set_blocking(handle, False)
    return Output(handle, bounds.output_bytes)


def _answer(connection: int, result: dict[str, Any]) -> NoReturn:
    try:
        _write_all(connection, json.dumps(result).encode())
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
