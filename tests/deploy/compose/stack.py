"""`docker compose` in a directory of its own, and a look at what it started."""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from plaudit.schemas.run import RunStatus, Summary
from plaudit.testing import free_ports

from .command import run
from .directory import make_directory

PUBLISHED = ("rollout", "reward", "judge", "trainer", "prometheus")
SCALED = ("--scale", "reward-rules=4", "--scale", "sandbox=3")
"""What `up` has to say again, once it has been said."""
_UP_TIMEOUT_S = 1200.0
_LIST_CHECKPOINTS = """
import pathlib
for marker in pathlib.Path("/var/lib/plaudit/runs/demo/checkpoints").glob("step-*/plaudit.json"):
    print(marker.parent.name)
"""


class Stack:
    """The compose file as users have it, on ports of its own."""

    def __init__(self, directory: Path, tag: str) -> None:
        self.directory = directory
        self.ports = dict(zip(PUBLISHED, free_ports(len(PUBLISHED)), strict=True))
        make_directory(directory, tag, self.ports)
        self.key = (directory / "secrets" / "api_key").read_text()
        self.started_at_s = time.monotonic()

    def compose(self, *words: str, timeout_s: float = 600.0) -> str:
        file = ["-f", str(self.directory / "compose.yaml")]
        file += ["-f", str(self.directory / "endpoint.yaml")]
        file += ["--env-file", str(self.directory / ".env")]
        return run("docker-compose", *file, *words, timeout_s=timeout_s)

    def up(self, *words: str) -> None:
        """Returns when what is named runs, else the trainer, hence all that it needs is healthy."""
        try:
            self.compose("up", "-d", "--no-build", "--no-recreate", *words, timeout_s=_UP_TIMEOUT_S)
        except AssertionError:
            print(self.compose("logs", "--no-color", "--tail", "20"))
            raise

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

    def stop(self, *services: str) -> float:
        """As `docker-compose stop`, with the grace of the compose file. Seconds that it took."""
        started_s = time.monotonic()
        self.compose("stop", *services)
        return time.monotonic() - started_s

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

    def queue_total(self, name: str) -> int:
        """Over all queues and lanes since the start, e.g. of `lapsed`."""
        (reward,) = self.containers("reward")
        stats = json.loads(run("docker", "exec", reward, "plaudit", "queue", "stats", "--json"))
        return sum(int(lane[name]) for queue in stats for lane in queue["lanes"].values())

    def checkpoints(self) -> list[int]:
        """Their steps, as another container sees them."""
        (engine,) = self.containers("rollout-engine")
        names = self.python(engine, _LIST_CHECKPOINTS).split()
        return sorted(int(name.removeprefix("step-")) for name in names)

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
