"""The processes of the path, started one by one, and what the kernel says they use."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plaudit.local.environment import Environment
from plaudit.local.redis import local_redis
from plaudit.testing import free_port

ENGINE = "stand-in engine"
CONDUCTOR = "conductor"
LOG_NAME = "services.log"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Services:
    """`pids` by process name."""

    pids: Mapping[str, int]
    rollout_url: str
    trainer_url: str
    redis_url: str

    def cpu_s(self) -> dict[str, float]:
        """Each process with all its descendants."""
        return {name: cpu_s_of_tree(pid) for name, pid in self.pids.items()}

    def rss_mib(self, name: str) -> float:
        status = Path(f"/proc/{self.pids[name]}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextmanager
def services(directory: Path, run_dir: Path) -> Iterator[Services]:
    """All of them on free ports, and a Redis that writes its append-only file, as in a run."""
    ports = {name: free_port() for name in ("rollout", "reward", "trainer", "engine")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    redis = local_redis(directory / "redis")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PLAUDIT_")}
    env |= {f"PLAUDIT_{name.upper()}_PORT": str(ports[name]) for name in ("reward", "trainer")}
    env |= {"PLAUDIT_ROLLOUT_PORT": str(ports["rollout"])}
    env |= {f"PLAUDIT_{name.upper()}_URL": urls[name] for name in ("rollout", "reward")}
    env |= {"PLAUDIT_ROLLOUT_ENGINE_URL": urls["engine"], "PLAUDIT_REDIS_URL": redis.url}
    machine = Environment(variables=env, document={})
    engine_script = str(Path(__file__).with_name("pipeline_engine.py"))
    commands: dict[str, tuple[str, ...]] = {
        "Redis": redis.spec().argv,
        ENGINE: (sys.executable, engine_script, str(ports["engine"])),
        "rollout API": machine.command("rollout", "api"),
        "rollout worker": machine.engine_command("worker"),
        "reward API": machine.command("reward", "api"),
        "reward worker": machine.command("reward", "worker", "--pool", "rules"),
        CONDUCTOR: machine.command("trainer", "conductor", "--run-dir", str(run_dir)),
    }
    with ExitStack() as stack:
        log = stack.enter_context((directory / LOG_NAME).open("wb"))
        pids: dict[str, int] = {}
        for name, command in commands.items():
            pids[name] = stack.enter_context(_process(command, env, log.fileno())).pid
            if name == "Redis":
                _wait(redis.socket_path.exists, "Redis", directory)
        for name in ("rollout", "reward"):
            _wait(partial(_is_ready, urls[name]), name, directory)
        yield Services(pids, urls["rollout"], urls["trainer"], redis.url)


@contextmanager
def _process(
    command: tuple[str, ...], env: Mapping[str, str], log: int
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(is_ready: Callable[[], bool], name: str, directory: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not is_ready():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"{name} did not start: see {directory / LOG_NAME}")
        time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2.0) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def cpu_s_of_tree(pid: int) -> float:
    """What it and its descendants have used, those included that have ended."""
    stats = {int(entry.name): stat for entry in _processes() if (stat := _stat(entry)) is not None}
    tree, found = {pid}, {pid}
    while found:
        found = {child for child, stat in stats.items() if int(stat[1]) in found}
        tree |= found
    return sum(int(ticks) for one in tree for ticks in stats[one][11:15]) / TICKS_PER_S


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _stat(entry: Path) -> list[str] | None:
    """The fields after the command's name; None when the process is gone."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
