"""A real run, `plaudit train demo --up`, whose processes a test can find and kill."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from plaudit.schemas.run import RunStatus
from tests.e2e.installation import NO_VLLM, ROLLOUT_PYTHON, Installation


class LiveRun:
    """`plaudit train demo --up` in a directory of its own, on ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "run"
        self.installation = Installation(directory)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *overrides: str) -> None:
        arguments = ["train", "demo", "--up", "--json", "--run-dir", str(self.path)]
        arguments += [part for override in overrides for part in ("--set", override)]
        self.process = self.installation.start(self.directory / "output.txt", *arguments)

    def status(self) -> RunStatus | None:
        """None while nobody answers, as while the conductor is dead."""
        try:
            url = f"http://127.0.0.1:{self.installation.ports['trainer']}/v1/status"
            response = httpx.get(url, timeout=5.0, trust_env=False)
            return RunStatus.model_validate(response.json()) if response.is_success else None
        except httpx.HTTPError:
            return None

    def wait(
        self, what: str, holds: Callable[[RunStatus], bool], timeout_s: float = 360.0
    ) -> RunStatus:
        deadline_s = time.monotonic() + timeout_s
        status = None
        while time.monotonic() < deadline_s:
            assert self.process is not None
            assert self.process.poll() is None, f"the run ended early:\n{self.output()}"
            status = self.status() or status
            if status is not None and holds(status):
                return status
            time.sleep(0.1)
        raise AssertionError(f"not within {timeout_s:g} s: {what}; {status}\n{self.output()}")

    def finish(self, timeout_s: float = 600.0) -> dict[str, Any]:
        """The summary, once the command ended by itself with success."""
        assert self.process is not None
        code = self.process.wait(timeout_s)
        assert code == 0, self.output()
        summary: dict[str, Any] = json.loads((self.path / "summary.json").read_text())
        return summary

    def output(self) -> str:
        return (self.directory / "output.txt").read_text()[-4000:]

    def pid(self, name: str) -> int:
        """Of the supervised process in its newest life, as its log tells."""
        lines = (self.path / "logs" / f"{name}.log").read_text(errors="replace").splitlines()
        starts = [line for line in lines if f"--- plaudit started {name}, process " in line]
        return int(starts[-1].rpartition(" ")[2])

    def vllm_pid(self) -> int:
        """vLLM's server, which is the first child of its supervisor, `engine-0`."""
        engine = self.pid("engine-0")
        children = Path(f"/proc/{engine}/task/{engine}/children").read_text().split()
        return int(children[0])

    def lines(self, file_name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / file_name).read_text().splitlines()]

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
            self.process.kill()
            self.process.wait()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveRun]:
    if not ROLLOUT_PYTHON.exists():
        pytest.skip(NO_VLLM)
    run = LiveRun(tmp_path / "live")
    try:
        yield run
    finally:
        run.close()
