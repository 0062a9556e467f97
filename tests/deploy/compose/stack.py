"""`docker compose` in a directory of its own, and a look at what it started."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from plaudit.schemas.run import RunStatus, Summary
from plaudit.testing import free_ports

ROOT = Path(__file__).parents[3]
PUBLISHED = ("rollout", "reward", "judge", "trainer")
_FILES = ("compose.yaml", "plaudit.toml", "init.sh", ".env.example")
_UP_TIMEOUT_S = 1200.0
# A newer client without its buildx cannot build: Debian's packages come first.
_PATH = f"/usr/bin:{os.environ.get('PATH', '')}"


def run(*words: str | Path, env: dict[str, str] | None = None, timeout_s: float = 600.0) -> str:
    """Its standard output. Fails with what it printed."""
    variables = {**os.environ, "PATH": _PATH, "DOCKER_BUILDKIT": "1", **(env or {})}
    command = [str(word) for word in words]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def is_fine(*words: str | Path) -> bool:
    with suppress(AssertionError, FileNotFoundError):
        run(*words)
        return True
    return False


class Stack:
    """The compose file as users have it, on ports of its own."""

    def __init__(self, directory: Path, tag: str) -> None:
        self.directory = directory
        for file in _FILES:
            shutil.copy(ROOT / "deploy" / "compose" / file, directory)
        run(directory / "init.sh")
        self.key = (directory / "secrets" / "api_key").read_text()
        self.ports = dict(zip(PUBLISHED, free_ports(len(PUBLISHED)), strict=True))
        settings = {f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        settings |= {"COMPOSE_PROJECT_NAME": "plaudit-test", "TAG": tag}
        settings |= {"REDIS_IMAGE": "plaudit-redis:test"}
        lines = [f"{key}={value}\n" for key, value in settings.items()]
        with (directory / ".env").open("a") as env_file:
            env_file.writelines(lines)
        self.started_at_s = 0.0

    def compose(self, *words: str, timeout_s: float = 600.0) -> str:
        file = ["-f", str(self.directory / "compose.yaml")]
        file += ["--env-file", str(self.directory / ".env")]
        return run("docker-compose", *file, *words, timeout_s=timeout_s)

    def up(self, *words: str) -> None:
        """Returns when the trainer runs, hence everything that it needs is healthy."""
        self.started_at_s = time.monotonic()
        self.compose("up", "-d", "--no-build", "--no-recreate", *words, timeout_s=_UP_TIMEOUT_S)

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "5")

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-q", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("docker", "inspect", container))[0]
        return found

    def python(self, container: str, code: str) -> str:
        """Runs `code` inside, as the container's own user."""
        return run("docker", "exec", container, "python", "-c", code).strip()

    def kill(self, service: str) -> None:
        """SIGKILL to a container's first process: a crash, after which Docker starts it anew."""
        state = self.inspect(self.containers(service)[0])["State"]
        os.kill(state["Pid"], signal.SIGKILL)

    def wait_healthy(self, service: str, num_containers: int = 1) -> None:
        wait_until(lambda: self.is_healthy(service, num_containers), f"{service} is healthy", 120.0)

    def is_healthy(self, service: str, num_containers: int) -> bool:
        states = [self.inspect(one)["State"] for one in self.containers(service)]
        healthy = [one for one in states if one.get("Health", {}).get("Status") == "healthy"]
        return len(healthy) == len(states) == num_containers

    def has_ended(self, service: str) -> bool:
        status: str = self.inspect(self.containers(service)[0])["State"]["Status"]
        return status == "exited"

    def exit_code(self, service: str) -> int:
        return int(self.inspect(self.containers(service)[0])["State"]["ExitCode"])

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def status(self) -> RunStatus | None:
        """None while the run's page does not answer."""
        headers = {"Authorization": f"Bearer {self.key}"}
        with suppress(httpx.HTTPError):
            answer = httpx.get(f"{self.url('trainer')}/v1/status", headers=headers, verify=False)
            return RunStatus.model_validate_json(answer.content) if answer.is_success else None
        return None

    def step(self) -> int:
        status = self.status()
        return -1 if status is None else status.step

    def summary(self) -> Summary:
        show = ["run", "--rm", "--no-deps", "-T", "trainer", "cat", "runs/demo/summary.json"]
        return Summary.model_validate_json(self.compose(*show))


def wait_until(holds: Callable[[], bool], what: str, timeout_s: float) -> float:
    """Seconds that it took."""
    started_s = time.monotonic()
    while not holds():
        assert time.monotonic() - started_s < timeout_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(1.0)
    return time.monotonic() - started_s
