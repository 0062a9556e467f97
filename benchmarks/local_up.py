"""`plaudit up` for a benchmark: a directory and ports of its own, stopped at the end."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plaudit.local.environment import ENGINE_PORT_SETTING, PORTS, port_setting
from plaudit.testing import free_port

BIN = Path(sys.executable).parent
READY = "everything is ready"
START_TIMEOUT_S = 900.0
STOP_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Services:
    """What runs. `env` is for its clients."""

    pid: int
    env: dict[str, str]

    @property
    def engine_url(self) -> str:
        return _url(self.env, ENGINE_PORT_SETTING)

    def url(self, service: str) -> str:
        return _url(self.env, port_setting(service))


@contextmanager
def services(directory: Path, *arguments: str) -> Iterator[Services]:
    """`arguments` of `plaudit up`: services (none: all), options.

    Ports that the environment does not set are free ones; services and a Redis that the user runs
    elsewhere are left alone.
    """
    settings = [*map(port_setting, PORTS), ENGINE_PORT_SETTING]
    kept = {name: value for name, value in os.environ.items() if not _is_url(name)}
    env = {name: str(free_port()) for name in settings} | kept
    env |= {"PLAUDIT_STATE_DIR": str(directory / "state")}
    log_path = directory / "up.log"
    command = [str(BIN / "plaudit"), "up", *arguments, "--max-model-tokens", "512"]
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        _wait_ready(process, log_path)
        urls = {f"PLAUDIT_{s.upper()}_URL": _url(env, port_setting(s)) for s in PORTS}
        yield Services(process.pid, env | urls)
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


def _url(env: dict[str, str], setting: str) -> str:
    return f"http://127.0.0.1:{env[setting]}"


def _is_url(name: str) -> bool:
    return name.startswith("PLAUDIT_") and name.endswith("_URL")


def _wait_ready(process: subprocess.Popen[bytes], log_path: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while READY not in (text := log_path.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise SystemExit(f"the services did not start:\n{text[-2000:]}")
        time.sleep(0.2)
