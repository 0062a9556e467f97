"""Which protections this machine allows, and how they are put on.

Two levels. The launcher leaves the network, the file system and root, once for all runs (a network
namespace costs about a millisecond and its clean-up more). Each run then gets its own user, pid,
mount and ipc namespaces and a private temporary directory. What the machine refuses is left out
and not reported; the service decides whether the rest is enough.
"""

import os
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plaudit_sandbox.launcher import cgroup, kernel, landlock, root, seccomp

_RUN_NAMESPACES = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC
)
_LAUNCHER_NAMESPACES = kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
_READABLE = (
    "/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


@dataclass(frozen=True)
class Isolation:
    """What is in force for every run."""

    own_uid: bool = False
    network_namespace: bool = False
    private_root: bool = False
    run_namespaces: bool = False
    landlock: bool = False
    seccomp: bool = False
    cgroups: cgroup.Delegation | None = None
    """Where each run gets one."""
    toolchains: tuple[str, ...] = ()
    """Directories of interpreters and compilers outside the system's own, readable by all runs."""

    def active(self) -> list[str]:
        """Names of the active protections, as published."""
        found = {
            "process_group": True,
            "rlimits": True,
            "empty_environment": True,
            "no_new_privs": True,
            "unprivileged": os.getuid() != 0,
            "own_uid": self.own_uid,
            "no_network": self.network_namespace or self.seccomp,
            "network_namespace": self.network_namespace,
            "private_root": self.private_root,
            "pid_namespace": self.run_namespaces,
            "private_tmp": self.run_namespaces,
            "cgroup": self.cgroups is not None,
            "landlock": self.landlock,
            "seccomp": self.seccomp,
        }
        return [name for name, on in found.items() if on]


def isolate_launcher(
    directory: str, uid: int, toolchains: Sequence[str], cgroup_directory: str | None
) -> Isolation:
    """Leave the network and root as far as allowed, and find out what each run can get.

    `directory` is handed to `uid`, the user that programs run as when this process is root.
    """
    cgroups = _cgroups(cgroup_directory, uid)
    needed = [*_READABLE, sys.base_prefix, sys.prefix]
    readable = [*needed, *toolchains]
    as_root = os.getuid() == 0
    network = _enter(_LAUNCHER_NAMESPACES) if as_root else _enter_as_user(_LAUNCHER_NAMESPACES)
    private_root = _works(lambda: root.enter(readable, _DEVICES, directory))
    if private_root:
        root.enter(readable, _DEVICES, directory)
    own_uid = as_root and _become(uid, directory, needed)
    return Isolation(
        own_uid=own_uid,
        network_namespace=network and _has_no_network(),
        private_root=private_root,
        run_namespaces=_works(lambda: isolate_run(directory)),
        landlock=_works(_try_landlock),
        seccomp=seccomp.supported() and _works(_try_seccomp),
        cgroups=cgroups if cgroups and _works(lambda: cgroup.check(cgroups)) else None,
        toolchains=tuple(toolchains),
    )


def isolate_run(mount_point: str, disk_bytes: int = 2**20) -> None:
    """New user, pid, mount and ipc namespaces, with an empty tmpfs at `mount_point`.

    The next fork is process 1 of the pid namespace. Raises OSError when refused.
    """
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(_RUN_NAMESPACES)
    _map_ids(uid, gid)
    options = f"size={disk_bytes},nr_inodes=4096,mode=0700"
    kernel.mount("tmpfs", mount_point, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def prepare() -> None:
    """Once in the launcher, so that no run has to."""
    landlock.abi()
    if seccomp.supported():
        seccomp.prepare()


def restrict_program(isolation: Isolation, directory: str, *, may_fork: bool) -> None:
    """The last step before untrusted code: give up privileges, paths and system calls.

    Without a pid namespace only a step that cannot do without (`may_fork`) may start processes.
    """
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()
    if isolation.landlock:
        landlock.restrict(_rules(directory, isolation.toolchains))
    if isolation.seccomp:
        seccomp.restrict(
            single_process=not (isolation.run_namespaces or may_fork),
            own_signals=not isolation.run_namespaces,
            shared_uid=not isolation.own_uid,
        )


def _rules(directory: str, toolchains: Sequence[str]) -> list[tuple[str, int]]:
    readable = {*_READABLE, sys.base_prefix, sys.prefix, *toolchains}
    return [
        *((path, landlock.READ) for path in sorted(readable)),
        *((path, landlock.DEVICE) for path in _DEVICES),
        (directory, landlock.all_rights()),
    ]


def _cgroups(directory: str | None, uid: int) -> cgroup.Delegation | None:
    """Before anything else: they are found through the file system that is left then."""
    found = directory or cgroup.own_directory()
    if found is None:
        return None
    try:
        return cgroup.prepare(found, uid, os.getppid())
    except OSError:
        return None


def _enter(namespaces: int) -> bool:
    try:
        kernel.unshare(namespaces)
    except OSError:
        return False
    return True


def _enter_as_user(namespaces: int) -> bool:
    """In a user namespace of our own, in which this user may make the others."""
    ids = os.getuid(), os.getgid()
    if not _enter(kernel.CLONE_NEWUSER | namespaces):
        return False
    _map_ids(*ids)
    return True


def _become(uid: int, directory: str, needed: Sequence[str]) -> bool:
    """Stop being root; False where that is refused, or leads where this user cannot read."""
    if not all(_is_open(path) for path in needed if os.path.exists(path)):
        return False
    try:
        os.chown(directory, uid, uid)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError:
        return False
    # Changing the user made /proc/self root's; the id maps of a run are written through it.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    return True


def _is_open(path: str) -> bool:
    """Whether every user may enter the directories that lead there."""
    directory = path if os.path.isdir(path) else os.path.dirname(path)
    parents = [directory]
    while parents[-1] != "/":
        parents.append(os.path.dirname(parents[-1]))
    return all(os.stat(parent).st_mode & stat.S_IXOTH for parent in parents)


def _map_ids(uid: int, gid: int) -> None:
    kernel.write_proc("self/setgroups", "deny")
    kernel.write_proc("self/uid_map", f"{uid} {uid} 1")
    kernel.write_proc("self/gid_map", f"{gid} {gid} 1")


def _has_no_network() -> bool:
    return [name for _, name in socket.if_nameindex()] in ([], ["lo"])


def _try_landlock() -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict([("/usr", landlock.READ)])
    try:
        os.close(os.open("/", os.O_RDONLY))
    except PermissionError:
        return
    raise OSError("the rules do not hold")


def _try_seccomp() -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.restrict(single_process=False, own_signals=False, shared_uid=False)
    try:
        socket.socket().close()
    except PermissionError:
        return
    raise OSError("the filter does not hold")


def _works(attempt: Callable[[], None]) -> bool:
    """Try it in a child, so that this process stays as it is."""
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except BaseException:  # why: a forked child must never run on into its parent's code
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return status == 0
