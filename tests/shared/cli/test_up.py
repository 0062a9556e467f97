"""`plaudit up` with real processes."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Protocol

from typer.testing import CliRunner

from plaudit.cli.main import app


class Plaudit(Protocol):
    directory: Path
    env: dict[str, str]

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]": ...
    def run(self, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]": ...
    def processes(self) -> list[int]: ...


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came:\n{seen}")


def test_named_services_start_with_what_they_need_and_prefixed_logs(plaudit: Plaudit) -> None:
    process = plaudit.start("up", "judge")
    output = ""
    for line in (
        "judge-self | judge worker is at work",
        "rollout-0  | rollout worker is at work",
        "everything is ready",
    ):
        output += "" if line in output else read_until(process, line)
    assert "reward" not in output
    assert (
        "\njudge worker is at work\n"
        in (plaudit.directory / "state/logs/judge-self.log").read_text()
    )
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert time.monotonic() - started < 10
    assert "everything is stopped" in rest
    assert process.returncode == 130
    assert plaudit.processes() == []


def test_a_killed_up_leaves_nothing_behind(plaudit: Plaudit) -> None:
    process = plaudit.start("up", "reward", "sandbox")
    read_until(process, "everything is ready")
    assert len(plaudit.processes()) >= 5
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while plaudit.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert plaudit.processes() == []


def test_a_killed_redis_comes_back_with_its_data(plaudit: Plaudit) -> None:
    import redis

    process = plaudit.start("up", "sandbox")
    read_until(process, "everything is ready")
    path = plaudit.directory / "state/redis/redis.sock"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with redis.Redis(unix_socket_path=str(path)) as client:
        client.set("plaudit:test", "kept")
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        time.sleep(1.2)  # appendfsync everysec
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
    read_until(process, "redis was killed by signal 9")
    read_until(process, "redis is ready")
    with redis.Redis(unix_socket_path=str(path)) as client:
        assert client.get("plaudit:test") == b"kept"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def test_services_answer_where_up_says(plaudit: Plaudit) -> None:
    process = plaudit.start("up", "sandbox")
    url = f"http://127.0.0.1:{plaudit.env['PLAUDIT_SANDBOX_PORT']}"
    assert f"sandbox is at {url}" in read_until(process, "everything is ready")
    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
        assert answer.status == 200


def test_a_second_up_in_the_same_state_directory_is_refused(plaudit: Plaudit) -> None:
    process = plaudit.start("up", "sandbox")
    read_until(process, "everything is ready")
    other = plaudit.run("up", "reward")
    assert other.returncode == 2
    assert f"in use by another plaudit, process {process.pid}" in other.stderr


def test_an_unknown_service_lists_the_known_ones(plaudit: Plaudit) -> None:
    done = plaudit.run("up", "rewards")
    assert done.returncode == 2
    assert "'rewards' is not a service" in done.stderr
    assert "rollout, reward, judge, sandbox" in done.stderr


def test_a_redis_that_is_named_and_does_not_answer_is_told_before_anything_starts(
    plaudit: Plaudit,
) -> None:
    done = plaudit.run("up", "reward", PLAUDIT_REDIS_URL="redis://:secret@127.0.0.1:1/0")
    assert done.returncode == 2
    assert "Redis" in done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_doctor_says_what_it_found_as_json_and_never_a_key(plaudit: Plaudit) -> None:
    done = plaudit.run("doctor", "--json", ANTHROPIC_API_KEY="sk-very-secret")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["ANTHROPIC_API_KEY"]["value"].startswith("set ")
    assert findings["HF_TOKEN"]["value"].startswith("not set")
    assert "very-secret" not in done.stdout + done.stderr
    assert findings["services"]["level"] == "ok"
    assert findings["Redis"]["level"] == "ok"
    bad = [f for f in findings.values() if f["level"] != "ok"]
    assert all(finding["fix"] for finding in bad)
    assert done.returncode == (1 if any(f["level"] == "fail" for f in bad) else 0)


def test_doctor_fails_when_the_engine_has_no_vllm_and_says_what_to_do(plaudit: Plaudit) -> None:
    done = plaudit.run("doctor", PLAUDIT_ROLLOUT_PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert "fail vLLM: PLAUDIT_ROLLOUT_PYTHON=/nowhere/python: no such file" in done.stdout


def test_every_command_has_help() -> None:
    for command in ([], ["up"], ["train"], ["demo"], ["doctor"], ["runs"], ["runs", "show"]):
        done = CliRunner().invoke(app, [*command, "--help"])
        assert done.exit_code == 0
        assert "Options" in done.stdout
