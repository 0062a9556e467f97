"""Who listens on a port, found out before anything is started."""

import errno
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plaudit.errors import ConfigError

_LISTEN = "0A"


@dataclass(frozen=True)
class PortUse:
    """A port that will be needed, and the setting that moves it elsewhere."""

    port: int
    purpose: str
    setting: str


def check_ports_free(uses: Iterable[PortUse], host: str = "127.0.0.1") -> None:
    """Raises ConfigError that names every port in use, its setting, and who holds it when known."""
    taken = [use for use in uses if not is_free(use.port, host)]
    if not taken:
        return
    lines = [
        f"port {use.port} for {use.purpose} (setting {use.setting}) is in use"
        f" by {describe_owner(use.port)}"
        for use in taken
    ]
    example = f"{taken[0].setting}={taken[0].port + 100}"
    raise ConfigError(
        "; ".join(lines) + ".", fix=f"stop that process, or choose another port, e.g. {example}"
    )


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. Raises ConfigError for a port that is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OverflowError:
            raise ConfigError(f"{port} is not a port.", fix="choose one from 1 to 65535") from None
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def describe_owner(port: int) -> str:
    """`process 123 (redis-server ...)`, as far as /proc tells it to this user."""
    inodes = _listening_inodes(port)
    if not inodes:
        return "a connection that is open or just ended, and no server"
    for process in Path("/proc").glob("[0-9]*"):
        if inodes & _socket_inodes(process):
            return f"process {process.name} ({_command(process)})"
    return "a process of another user or outside this container"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    return inodes


def _socket_inodes(process: Path) -> set[str]:
    links = set()
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                links.add(str(descriptor.readlink()))
    return links


def _command(process: Path) -> str:
    try:
        arguments = (process / "cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return "unknown"
    return arguments.decode("utf-8", "replace")[:80].strip()
