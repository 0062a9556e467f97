"""The judge service as it is run, beside the endpoint that it asks; its parts can be killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from plaudit.testing import free_port, redis_server

JUDGE = "bench"
START_TIMEOUT_S = 60.0


@dataclass
class Part:
    """A process of the service, by the command that starts it again."""

    command: list[str]
    env: dict[str, str]
    process: "subprocess.Popen[bytes]" = field(init=False)
    peak_bytes: int = 0
    cpu_s: float = 0.0
    """Of the processes that were killed."""

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.env)

    def kill(self) -> None:
        self.look()
        self.cpu_s += process_cpu_s(self.process.pid)
        self.process.kill()
        self.process.wait()

    def look(self) -> None:
        """Keeps the peak over all processes that this part was."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        self.peak_bytes = max(self.peak_bytes, int(line.split()[1]) * 1024)

    def total_cpu_s(self) -> float:
        return self.cpu_s + process_cpu_s(self.process.pid)


@dataclass(frozen=True)
class Service:
    url: str
    endpoint_url: str
    parts: dict[str, Part]

    def counts(self) -> dict[str, int]:
        """Calls that the endpoint answered and refused so far."""
        found: dict[str, int] = httpx.get(f"{self.endpoint_url}/counts").json()
        return found

    def cpu_s(self) -> float:
        return sum(part.total_cpu_s() for part in self.parts.values())


@contextmanager
def judge_service(num_workers: int, max_concurrency: int) -> Iterator[Service]:
    port, endpoint_port = free_port(), free_port()
    endpoint_url = f"http://127.0.0.1:{endpoint_port}"
    spec = {
        "kind": "openai", "base_url": f"{endpoint_url}/v1", "model": "m",
        "structured": "off", "max_concurrency": max_concurrency,
    }  # fmt: skip
    script = str(Path(__file__).with_name("judge_endpoint.py"))
    with redis_server() as redis_url:
        env = {name: value for name, value in os.environ.items() if "PLAUDIT" not in name}
        env |= {
            "PLAUDIT_REDIS_URL": redis_url,
            "PLAUDIT_JUDGE_PORT": str(port),
            "PLAUDIT_JUDGE_JUDGES": json.dumps({JUDGE: spec}),
            "PLAUDIT_JUDGE_LOG_LEVEL": "error",
        }
        command = [sys.executable, "-m", "plaudit_judge.cli"]
        worker = [*command, "worker", "--judge", JUDGE]
        parts = {"endpoint": Part([sys.executable, script, str(endpoint_port)], env)}
        parts["API"] = Part([*command, "api"], env)
        parts |= {f"worker {index}": Part(worker, env) for index in range(num_workers)}
        service = Service(f"http://127.0.0.1:{port}", endpoint_url, parts)
        try:
            _wait(f"{endpoint_url}/counts")
            _wait(f"{service.url}/readyz")
            yield service
        finally:
            for part in parts.values():
                part.process.terminate()
            for part in parts.values():
                part.process.wait()


def _wait(url: str) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def process_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")
