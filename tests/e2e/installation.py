"""`plaudit` with ports and a state directory of its own, so that two of them do not meet."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from plaudit.testing import free_ports

ROOT = Path(__file__).parents[2]
ROLLOUT_PYTHON = ROOT / ".venv-rollout" / "bin" / "python"
NO_VLLM = f"no vLLM: {ROLLOUT_PYTHON} is missing (make setup)"
needs_vllm = pytest.mark.skipif(not ROLLOUT_PYTHON.exists(), reason=NO_VLLM)
SERVICES = ("rollout", "reward", "judge", "sandbox", "trainer")
_PLAUDIT = str(Path(sys.executable).parent / "plaudit")
_UP_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 30.0


class Installation:
    def __init__(self, directory: Path, **env: str) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.engine_port, *ports = free_ports(1 + len(SERVICES))
        self.ports = dict(zip(SERVICES, ports, strict=True))
        outside = {k: v for k, v in os.environ.items() if not k.startswith("PLAUDIT_")}
        own = {f"PLAUDIT_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self.env = outside | own | env
        self.env |= {
            "PLAUDIT_ROLLOUT_ENGINE_PORT": str(self.engine_port),
            "PLAUDIT_ROLLOUT_PYTHON": str(ROLLOUT_PYTHON),
            "PLAUDIT_STATE_DIR": str(directory / "state"),
        }

    def run(self, *arguments: str, timeout_s: float) -> None:
        """Raises AssertionError with the command's own words when it fails or does not end."""
        log = self.directory / "run.log"
        process = self.start(log, *arguments)
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still ran after {timeout_s:g} s: {_tail(log)}") from None
        finally:
            _stop(process)
        assert status == 0, _tail(log)

    def start(self, log: Path, *arguments: str) -> "subprocess.Popen[bytes]":
        """`plaudit` with these arguments, its output in a file."""
        with log.open("w") as output:
            return subprocess.Popen(
                [_PLAUDIT, *arguments],
                cwd=self.directory,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @contextmanager
    def up(self, *services: str) -> Iterator[None]:
        """The services run, and the engine serves."""
        log = self.directory / "up.log"
        process = self.start(log, "up", *services)
        try:
            urls = [f"http://127.0.0.1:{self.ports[name]}/readyz" for name in services]
            for url in [*urls, f"http://127.0.0.1:{self.engine_port}/health"]:
                _wait_for(url, process, log)
            yield
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """As Ctrl-C does, so that the services it started end with it. Nothing if it has ended."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline_s = time.monotonic() + _UP_TIMEOUT_S
    while not _answers(url):
        assert process.poll() is None, _tail(log)
        assert time.monotonic() < deadline_s, f"{url} does not answer: {_tail(log)}"
        time.sleep(0.1)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
