"""The real `plaudit` in an installation whose services are stand-ins, on ports of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plaudit.testing import free_ports, pids_with

ROOT = Path(__file__).parents[3]
SERVICES = ("rollout", "reward", "judge", "sandbox", "trainer")
RECIPE = """
name = "tiny"
[[rewards]]
name = "accuracy"
"""


@dataclass
class Installation:
    """`directory` is the current directory of every command; all state stays below it."""

    directory: Path
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [str(self.directory / "venv/bin/python"), "-m", "plaudit.cli", *arguments],
            cwd=self.directory,
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def run(
        self, *arguments: str, timeout_s: float = 150.0, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        argv = [str(self.directory / "venv/bin/python"), "-m", "plaudit.cli", *arguments]
        return subprocess.run(
            argv,
            cwd=self.directory,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def processes(self) -> list[int]:
        """Everything that runs from this installation, the command itself included."""
        own = {
            "PLAUDIT_STATE_DIR": self.env["PLAUDIT_STATE_DIR"],
            "TEST_INSTALLATION": str(self.directory),
        }
        return pids_with(**own)


@pytest.fixture
def plaudit(tmp_path: Path) -> Iterator[Installation]:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    own = Path(sys.executable).parent.parent
    (venv / "pyvenv.cfg").write_text((own / "pyvenv.cfg").read_text())
    (venv / "lib").symlink_to(own / "lib")
    (venv / "bin/python").symlink_to(sys.executable)
    (venv / "bin/redis-server").symlink_to(own / "bin/redis-server")
    script = (Path(__file__).parent / "stand_in.py").read_text()
    for service in SERVICES:
        path = venv / "bin" / f"plaudit-{service}"
        path.write_text(f"#!{venv}/bin/python\n{script}")
        path.chmod(0o755)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    ports = free_ports(len(SERVICES) + 1)
    env = {k: v for k, v in os.environ.items() if not k.startswith("PLAUDIT_")}
    env |= {f"PLAUDIT_{s.upper()}_PORT": str(p) for s, p in zip(SERVICES, ports, strict=False)}
    env |= {
        "PYTHONPATH": f"{ROOT}/shared/src:{ROOT}/services/trainer/src",
        "PLAUDIT_ROLLOUT_ENGINE_PORT": str(ports[-1]),
        "PLAUDIT_ROLLOUT_PYTHON": str(venv / "bin/python"),
        "PLAUDIT_CACHE_DIR": str(tmp_path / "cache"),
        "PLAUDIT_STATE_DIR": str(tmp_path / "state"),
        "TEST_INSTALLATION": str(tmp_path),
    }
    installation = Installation(tmp_path, env)
    yield installation
    for process in installation.started:
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 30
    while (left := installation.processes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, "processes were left behind"
