"""vLLM's command line, and its supervision: nothing outlives it, whatever dies restarts."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.testing import free_port
from plaudit_rollout.engine import command as command_module
from plaudit_rollout.engine import supervisor
from plaudit_rollout.engine.command import Command, make_command
from plaudit_rollout.engine.process import EngineProcess
from plaudit_rollout.settings import RolloutSettings

# A server with a child, as vLLM has: both write their pids.
FAMILY = """
import pathlib, signal, subprocess, sys, time
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(f"{child.pid}")
time.sleep(600)
"""
# Answers /weight_info until it is killed. With "dead" it is not healthy; with "deaf" it closes its
# port after some answers and stays.
SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        dead = self.path == "/health" and "dead" in sys.argv
        self.send_response(503 if dead else 200)
        self.send_header("content-length", "0"); self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
for _ in range(5):
    server.handle_request()
if "deaf" in sys.argv:
    server.server_close()
    time.sleep(600)
server.serve_forever()
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def wait_until(check, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def family(pid_file: Path, kind: str = "meek") -> Command:
    return Command([sys.executable, "-c", FAMILY, str(pid_file), kind], dict(os.environ))


def child_of(pid_file: Path) -> int:
    wait_until(lambda: pid_file.exists() and pid_file.read_text())
    return int(pid_file.read_text())


@pytest.mark.parametrize("kind", ["meek", "stubborn"])
async def test_stopping_ends_the_whole_process_group_in_time(tmp_path, kind):
    process = EngineProcess(family(tmp_path / "pid", kind))
    child = child_of(tmp_path / "pid")
    started = time.monotonic()
    await process.stop(0.5)
    assert time.monotonic() - started < 15
    assert not is_alive(process.pid)
    wait_until(lambda: not is_alive(child))


async def test_a_dead_servers_child_is_killed_with_it(tmp_path):
    process = EngineProcess(family(tmp_path / "pid"))
    child = child_of(tmp_path / "pid")
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: process.exit_code is not None)
    assert is_alive(child)
    await process.stop(0.5)
    wait_until(lambda: not is_alive(child))


def test_nothing_survives_a_supervisor_that_was_killed(tmp_path):
    script = textwrap.dedent(
        f"""
        import os, sys, time
        from plaudit_rollout.engine.command import Command
        from plaudit_rollout.engine.process import EngineProcess
        arguments = [sys.executable, "-c", {FAMILY!r}, {str(tmp_path / "pid")!r}, "stubborn"]
        process = EngineProcess(Command(arguments, dict(os.environ)))
        print(process.pid, flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        child = child_of(tmp_path / "pid")
        parent.kill()
    wait_until(lambda: not is_alive(server) and not is_alive(child))


async def test_an_engine_that_dies_is_started_again(tmp_path, monkeypatch):
    port = free_port()
    settings = RolloutSettings(model=str(tmp_path), engine_port=port, stop_timeout_s=0.5)
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_S", 0.05)
    started: list[int] = []

    class Noted(EngineProcess):
        def __init__(self, command: Command) -> None:
            super().__init__(command)
            started.append(self.pid)

    serve = Command([sys.executable, "-c", SERVER, str(port)], dict(os.environ))
    monkeypatch.setattr(supervisor, "make_command", lambda settings, model: serve)
    monkeypatch.setattr(supervisor, "EngineProcess", Noted)
    stop = asyncio.Event()
    supervising = asyncio.create_task(supervisor.supervise(settings, stop))
    async with asyncio.timeout(20.0):
        while len(started) < 1:
            await asyncio.sleep(0.02)
        os.kill(started[0], signal.SIGKILL)
        while len(started) < 2:
            await asyncio.sleep(0.02)
        stop.set()
        await supervising
    assert not any(is_alive(pid) for pid in started)


async def test_an_engine_that_hangs_is_killed_and_started_again(tmp_path, monkeypatch):
    settings = RolloutSettings(
        model=str(tmp_path),
        engine_port=free_port(),
        unresponsive_timeout_s=0.5,
        stop_timeout_s=0.2,
    )
    monkeypatch.setattr(supervisor, "_CHECK_TIMEOUT_S", 0.3)
    monkeypatch.setattr(supervisor, "_ALIVE_POLL_S", 0.05)
    serve = Command([sys.executable, "-c", SERVER, str(settings.engine_port)], dict(os.environ))
    process = EngineProcess(serve)
    watching = asyncio.create_task(supervisor._watch(process, settings))
    ready = f"http://127.0.0.1:{settings.engine_port}"
    async with asyncio.timeout(20.0):
        while not await _answers(ready):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        os.kill(process.pid, signal.SIGSTOP)
        assert await watching == "no answer for unresponsive_timeout_s = 0.5"
    await process.stop(0.2)
    assert not is_alive(process.pid)


@pytest.mark.parametrize(
    ("kind", "reason"), [("dead", "the engine core is dead"), ("deaf", "it has closed its port")]
)
async def test_a_server_that_outlives_its_engine_core_is_started_again(monkeypatch, kind, reason):
    settings = RolloutSettings(engine_port=free_port())
    monkeypatch.setattr(supervisor, "_ALIVE_POLL_S", 0.05)
    serve = [sys.executable, "-c", SERVER, str(settings.engine_port), kind]
    process = EngineProcess(Command(serve, dict(os.environ)))
    async with asyncio.timeout(20.0):
        assert await supervisor._watch(process, settings) == reason
    await process.stop(0.2)


async def test_of_a_server_that_was_killed_the_exit_code_is_told(monkeypatch):
    settings = RolloutSettings(engine_port=free_port())
    monkeypatch.setattr(supervisor, "_ALIVE_POLL_S", 0.0)
    serve = [sys.executable, "-c", SERVER, str(settings.engine_port)]
    process = EngineProcess(Command(serve, dict(os.environ)))
    watching = asyncio.create_task(supervisor._watch(process, settings))
    async with asyncio.timeout(20.0):
        while not await _answers(f"http://127.0.0.1:{settings.engine_port}"):
            await asyncio.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        assert await watching == "exit code -9"
    await process.stop(0.2)


async def _answers(url: str) -> bool:
    import httpx

    try:
        async with httpx.AsyncClient() as http:
            return (await http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def cpu_build(monkeypatch):
    monkeypatch.setattr(command_module, "version", lambda name: "0.32.0+cpu")


@pytest.fixture
def gpu_build(monkeypatch):
    monkeypatch.setattr(command_module, "version", lambda name: "0.32.0")


def value_of(command: Command, option: str) -> str:
    return command.arguments[command.arguments.index(option) + 1]


def test_the_command_line_has_what_correctness_depends_on(cpu_build):
    command = make_command(RolloutSettings(max_model_tokens=512, engine_port=8299), "/m")
    assert value_of(command, "serve") == "/m"
    assert value_of(command, "--logprobs-mode") == "processed_logprobs"
    assert value_of(command, "--hf-overrides") == '{"tie_word_embeddings": false}'
    assert value_of(command, "--generation-config") == "vllm"
    assert value_of(command, "--max-model-len") == "512"
    assert value_of(command, "--host") == "127.0.0.1"
    assert command.environment["VLLM_SERVER_DEV_MODE"] == "1"
    assert command.environment["VLLM_NO_USAGE_STATS"] == "1"
    assert command.environment["HF_HUB_OFFLINE"] == "1"


def test_without_a_gpu_it_runs_eagerly_on_the_threads_it_was_given(cpu_build):
    command = make_command(RolloutSettings(threads=3), "/m")
    assert "--enforce-eager" in command.arguments
    assert "--tensor-parallel-size" not in command.arguments
    assert command.environment["OMP_NUM_THREADS"] == "3"


def test_with_a_gpu_it_may_compile(gpu_build):
    command = make_command(RolloutSettings(tensor_parallel_size=2, dtype="bfloat16"), "/m")
    assert "--enforce-eager" not in command.arguments
    assert value_of(command, "--tensor-parallel-size") == "2"
    assert "VLLM_CPU_KVCACHE_SPACE" not in command.environment


def test_adapters_are_put_over_the_weights_only_where_a_rank_is_set(cpu_build):
    command = make_command(RolloutSettings(max_lora_rank=9, max_adapters=3), "/m")
    assert "--enable-lora" in command.arguments
    assert value_of(command, "--max-lora-rank") == "16"
    assert value_of(command, "--max-loras") == "3"
    assert command.environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"
    without = make_command(RolloutSettings(), "/m")
    assert "--enable-lora" not in without.arguments
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in without.environment


def test_each_start_draws_other_samples_unless_a_seed_is_set(cpu_build):
    drawn = {value_of(make_command(RolloutSettings(), "/m"), "--seed") for _ in range(8)}
    assert len(drawn) > 1
    assert value_of(make_command(RolloutSettings(engine_seed=5), "/m"), "--seed") == "5"


def test_keys_and_settings_stay_out_of_vllms_environment(cpu_build, monkeypatch):
    monkeypatch.setenv("PLAUDIT_API_KEY", "secret-key")
    assert "secret-key" not in make_command(RolloutSettings(), "/m").environment.values()


def test_more_arguments_come_last_and_win(cpu_build):
    settings = RolloutSettings(engine_arguments=["--max-num-seqs", "7"])
    assert make_command(settings, "/m").arguments[-2:] == ["--max-num-seqs", "7"]


def test_an_interpreter_without_vllm_is_told_what_to_do(monkeypatch):
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(command_module, "version", missing)
    with pytest.raises(ConfigError, match="has no vLLM"):
        make_command(RolloutSettings(), "/m")
