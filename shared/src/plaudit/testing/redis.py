"""A real redis-server for tests: no root, no configuration, killed at the end."""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plaudit.errors import Unavailable
from plaudit.local.redis import find_redis_server
from plaudit.testing.net import free_port

START_TIMEOUT_S = 10.0


class RedisServer:
    """Data survives `kill` and `start` when `appendonly` is set."""

    def __init__(self, directory: Path, port: int, appendonly: bool) -> None:
        self.directory = directory
        self.port = port
        self.appendonly = appendonly
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers. Raises Unavailable with the end of its log when it does not."""
        with (self.directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(find_redis_server()), *self._arguments()],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.directory,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = (self.directory / "redis.log").read_text(errors="replace")[-500:]
                raise Unavailable(f"redis-server on port {self.port} did not start: {tail}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL; nothing is saved but what the append-only file holds."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def _arguments(self) -> list[str]:
        return [
            "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory),
            "--save", "", "--appendonly", "yes" if self.appendonly else "no",
            "--maxmemory-policy", "noeviction",
        ]  # fmt: skip


@contextmanager
def redis_server() -> Iterator[str]:
    """`with redis_server() as url:` a Redis of its own on a free port."""
    with redis_process() as server:
        yield server.url


@contextmanager
def redis_process(*, port: int = 0, appendonly: bool = False) -> Iterator[RedisServer]:
    """For tests that kill and restart Redis; port 0 takes a free one."""
    with tempfile.TemporaryDirectory(prefix="plaudit-redis-") as directory:
        server = RedisServer(Path(directory), port or free_port(), appendonly)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def answers(port: int) -> bool:
    """PING over a plain socket; a server that still loads its data says LOADING."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
