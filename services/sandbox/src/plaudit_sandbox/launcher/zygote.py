"""The launcher: a warm interpreter that forks one monitor per run.

    service ──SCM_RIGHTS: one socket per run──▶ zygote ──fork──▶ monitor ──fork──▶ process 1
                                                                    └────fork──▶ the program

The zygote never sees a job: it hands the socket to a monitor, which reads the job from it, so a
program forked from here finds nothing of other runs in its memory. Forking a warm interpreter
saves the 10 ms that starting Python takes.
"""

import gc
import importlib
import json
import os
import signal
import site
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass

from plaudit_sandbox.launcher.isolation import isolate_launcher, prepare
from plaudit_sandbox.launcher.monitor import Site, monitor
from plaudit_sandbox.launcher.program import Program

_WARM = (
    "bisect", "collections", "datetime", "decimal", "fractions", "functools", "heapq",
    "itertools", "math", "operator", "random", "re", "string", "typing",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What the service passes on the command line, as JSON."""

    control: int
    """The descriptor on which run sockets arrive."""
    directory: str
    uid: int
    disk_bytes: int
    max_processes: int
    max_concurrency: int
    cgroup_directory: str | None
    """Delegated to the service; its own one when null."""
    toolchains: list[str]
    """Directories that programs may read besides the system's own."""


def main() -> None:
    """Serve until the service closes the control socket. A forked program returns to here."""
    options = Options(**json.loads(sys.argv[1]))
    _become_ordinary_interpreter()
    control = socket.socket(fileno=options.control)
    isolation = isolate_launcher(
        options.directory, options.uid, options.toolchains, options.cgroup_directory
    )
    control.send(json.dumps(isolation.active()).encode())
    place = Site(
        isolation,
        options.directory,
        options.disk_bytes,
        options.max_processes,
        options.max_concurrency,
    )
    prepare()
    # Nobody waits for monitors, and none may stay behind as a zombie.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    program = _serve(control, place)
    if program is not None:
        program.run()
    with suppress(OSError):
        os.rmdir(options.directory)


def _serve(control: socket.socket, place: Site) -> Program | None:
    while True:
        message, handles, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return None
        for connection in handles:
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(control.detach())
                return monitor(connection, place)
            os.close(connection)


def _become_ordinary_interpreter() -> None:
    """An empty environment, `exit()` as programs expect it, the usual modules imported."""
    # Python itself puts LC_CTYPE there.
    os.environ.clear()
    site.setquit()
    for name in _WARM:
        importlib.import_module(name)
