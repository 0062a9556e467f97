"""A cgroup of its own for each run, where the service may make some.

That is the kernel's own count of all memory and all processes of a run, in whatever form it holds
them, and one word that ends them all. It needs cgroup version 2 with a directory that is delegated
to the service: its own one, or `cgroup_directory`.
Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (delegation, memory, pids).
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass

from plaudit_sandbox.launcher import kernel

CONTROLLERS = ("memory", "pids")
LEAF = "plaudit-launcher"
"""Where the service's own processes go: a cgroup with controlled children may hold none itself."""
_TIMEOUT_S = 1.0
_ROUND_S = 0.001


@dataclass(frozen=True)
class Group:
    """The cgroup `name` of one run in the directory `parent`; `handle` is its own directory."""

    parent: int
    name: str
    handle: int

    def enter(self) -> None:
        """Move the calling process here, and all that it starts."""
        _write(self.handle, "cgroup.procs", "0")

    def kill(self) -> None:
        """All in here at once; what forks meanwhile, too."""
        _write(self.handle, "cgroup.kill", "1")

    def out_of_memory(self) -> bool:
        """Whether the kernel has ended something in here because `memory.max` was reached."""
        events = dict(line.split() for line in _read(self.handle, "memory.events").splitlines())
        return int(events.get("oom_kill", 0)) > 0

    def remove(self) -> None:
        """Its processes must have ended; raises OSError when they have not, a second later."""
        deadline_s = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                os.rmdir(self.name, dir_fd=self.parent)
                return
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
            time.sleep(_ROUND_S)


@dataclass(frozen=True)
class Delegation:
    """A directory in which this user may make cgroups."""

    handle: int

    def new_group(self, memory_bytes: int, max_processes: int) -> Group:
        name = f"run-{os.getpid()}"
        try:
            os.mkdir(name, dir_fd=self.handle)
        except FileExistsError:
            # Of a monitor that was killed and had the same process id.
            stale = self._open(name)
            stale.kill()
            stale.remove()
            os.mkdir(name, dir_fd=self.handle)
        group = self._open(name)
        _limit(group.handle, memory_bytes, max_processes)
        return group

    def _open(self, name: str) -> Group:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        return Group(self.handle, name, os.open(name, flags, dir_fd=self.handle))


def own_directory() -> str | None:
    """Where this process is in the hierarchy of version 2, if one is mounted."""
    mounts = [line.split() for line in kernel.read_proc("self/mountinfo").splitlines()]
    found = [fields[3:5] for fields in mounts if fields[fields.index("-") + 1] == "cgroup2"]
    places = [
        line[3:] for line in kernel.read_proc("self/cgroup").splitlines() if line[:3] == "0::"
    ]
    if not found or not places:
        return None
    root, mount_point = found[0]
    return os.path.normpath(f"{mount_point}/{os.path.relpath(places[0], root)}")


def prepare(directory: str, uid: int, service_pid: int) -> Delegation:
    """Make `directory` ready for cgroups that `uid` makes, for what the calling process forks.

    A process may only be moved within what is delegated, so the caller itself moves there first.
    Raises OSError where it cannot be.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    missing = set(CONTROLLERS) - set(_read(handle, "cgroup.controllers").split())
    if missing:
        raise OSError(f"cgroup.controllers: no {', '.join(sorted(missing))}")
    with suppress(FileExistsError):
        os.mkdir(LEAF, dir_fd=handle)
    _write(handle, f"{LEAF}/cgroup.procs", str(os.getpid()))
    _enable_controllers(handle, service_pid)
    if os.getuid() == 0:
        os.chown(handle, uid, uid)
        os.chown("cgroup.procs", uid, uid, dir_fd=handle)
    return Delegation(handle)


def check(delegation: Delegation) -> None:
    """Make a cgroup, move a process there, and end it. Raises OSError when one of these fails."""
    group = delegation.new_group(2**24, 8)
    entered, told = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(OSError):
            group.enter()
            os.write(told, b"1")
            time.sleep(_TIMEOUT_S)
        os._exit(0)
    os.close(told)
    os.read(entered, 1)
    group.kill()
    _, status = os.waitpid(child, 0)
    group.remove()
    if not os.WIFSIGNALED(status):
        raise OSError("cgroup.kill did not end a process that had entered")


def _enable_controllers(handle: int, service_pid: int) -> None:
    if set(CONTROLLERS) <= set(_read(handle, "cgroup.subtree_control").split()):
        return
    together = str(service_pid) in _read(handle, "cgroup.procs").split()
    if together:
        _write(handle, f"{LEAF}/cgroup.procs", str(service_pid))
    try:
        _write(handle, "cgroup.subtree_control", " ".join(f"+{name}" for name in CONTROLLERS))
    except OSError:
        # Somebody else is in there: leave the service where it was.
        if together:
            _write(handle, "cgroup.procs", str(service_pid))
        raise


def _limit(handle: int, memory_bytes: int, max_processes: int) -> None:
    _write(handle, "memory.max", str(memory_bytes))
    _write(handle, "memory.oom.group", "1")
    _write(handle, "pids.max", str(max_processes))
    with suppress(FileNotFoundError, PermissionError):
        # Not there where the kernel does not swap.
        _write(handle, "memory.swap.max", "0")


def _read(directory: int, name: str) -> str:
    with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)) as file:
        return file.read()


def _write(directory: int, name: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(os.open(name, flags, 0o600, dir_fd=directory), "w") as file:
        file.write(text)
