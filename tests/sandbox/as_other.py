"""Run a command as an ordinary user, or as in an ordinary container, without user namespaces.

    python as_other.py user|container|root-container COMMAND [ARGUMENT ...]

`root-container` is root as Docker leaves it: no CAP_SYS_ADMIN, but other users are there. Root
becomes another user for the other two; an ordinary user is one already. Where this machine refuses
the namespace that is needed for the show, it is such a place already.
"""

import ctypes
import os
import sys

CLONE_NEWUSER, CLONE_NEWNS = 0x1000_0000, 0x2_0000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_CAPBSET_DROP, CAP_SYS_ADMIN = 24, 21
MANY_IDS = 65536
ORDINARY_ID = 1000

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    who, command = sys.argv[1], sys.argv[2:]
    if os.getuid() == 0:
        from_root(who)
    elif who == "container":
        forbid_namespaces_to_self()
    os.execv(command[0], command)


def from_root(who: str) -> None:
    if who == "user":
        check(libc.unshare(CLONE_NEWNS))
    else:
        enter_user_namespace_with_many_ids()
        write("/proc/sys/user/max_user_namespaces", "0")
    open_paths_to_tools()
    if who == "root-container":
        check(libc.prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0))
        return
    os.setgroups([])
    os.setresgid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID)
    os.setresuid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID)


def forbid_namespaces_to_self() -> None:
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        return
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{uid} {uid} 1")
    write("/proc/self/gid_map", f"{gid} {gid} 1")
    write("/proc/sys/user/max_user_namespaces", "0")


def enter_user_namespace_with_many_ids() -> None:
    """A process outside has to write the maps."""
    go, gone = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(gone)
        os.read(go, 1)
        for name in ("uid_map", "gid_map"):
            write(f"/proc/{os.getppid()}/{name}", f"0 0 {MANY_IDS}")
        os._exit(0)
    check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    os.close(gone)
    os.waitpid(child, 0)


def open_paths_to_tools() -> None:
    """The interpreter and the compilers of a container are not below /root."""
    wanted = (os.path.realpath(sys.base_prefix), "/root/.cargo", "/root/.rustup")
    hidden = [path for path in wanted if path.startswith("/root/") and os.path.isdir(path)]
    if not hidden:
        return
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    handles = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in hidden]
    check(libc.mount(b"tmpfs", b"/root", b"tmpfs", 0, b"mode=0755"))
    for path, handle in zip(hidden, handles, strict=True):
        os.makedirs(path)
        source = f"/proc/self/fd/{handle}".encode()
        check(libc.mount(source, path.encode(), None, MS_BIND | MS_REC, None))
        os.close(handle)


def check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
