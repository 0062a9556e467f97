"""`plaudit train` as a user meets it: real processes, stand-ins for the services."""

import json
import os
import signal
import socket
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Protocol


class Plaudit(Protocol):
    directory: Path
    env: dict[str, str]

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]": ...
    def run(self, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]": ...
    def processes(self) -> list[int]: ...


def wait_for(process: "subprocess.Popen[str]", text: str) -> str:
    """Reads output up to a line that holds `text`."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came:\n{seen}")


def test_a_run_ends_with_a_summary_a_report_and_nothing_left_running(plaudit: Plaudit) -> None:
    done = plaudit.run("train", "recipe.toml", "--up", STAND_IN_FAST="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0.2 to 0.4" in done.stdout
    assert "48 admitted = 48 trained" in done.stdout
    run_dir = (plaudit.directory / "runs/latest").resolve()
    assert f"report: runs/{run_dir.name}/report.html" in done.stdout
    assert "<svg" in (run_dir / "report.html").read_text()
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["restarts"] == {} and summary["wall_s"] > 0
    record = json.loads((run_dir / "run.json").read_text())
    assert record["run_id"] == run_dir.name and record["argv"][1] == "train"
    logs = {path.name for path in (run_dir / "logs").iterdir()}
    assert {"redis.log", "engine-0.log", "rollout-0.log", "conductor.log", "learner.log"} <= logs
    assert plaudit.processes() == []


def test_the_demo_starts_all_services_and_prints_nothing_but_json_when_asked(
    plaudit: Plaudit,
) -> None:
    done = plaudit.run("demo", "--json", "--steps", "2", "--seed", "5", STAND_IN_FAST="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["accuracy_gain"] == 0.3
    run_dir = (plaudit.directory / "runs/latest").resolve()
    assert run_dir.name.startswith("demo-")
    recipe = tomllib.loads((run_dir / "recipe.toml").read_text())
    assert (recipe["seed"], recipe["budget"]["steps"]) == (5, 2)
    assert recipe["model"]["path"] == str(plaudit.directory / "cache/model")
    logs = {path.stem for path in (run_dir / "logs").iterdir()}
    assert {"sandbox", "reward-code", "judge", "judge-self", "reward-rules"} <= logs


def test_ctrl_c_stops_within_10_s_and_says_how_to_resume_and_resume_finishes(
    plaudit: Plaudit,
) -> None:
    process = plaudit.start("train", "recipe.toml", "--up", "--run-dir", "runs/one")
    wait_for(process, "training 1/3")
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert time.monotonic() - started < 10
    assert process.returncode == 130
    assert "resume with: plaudit train --resume runs/one --up" in rest
    assert plaudit.processes() == []

    done = plaudit.run("train", "--resume", "runs/one", "--up", STAND_IN_FAST="1")
    assert done.returncode == 0, done.stdout + done.stderr
    again = plaudit.run("train", "--resume", "one", "--up")
    assert again.returncode == 0
    assert "is finished" in again.stderr


def test_what_is_killed_is_restarted_and_counted_in_the_summary(plaudit: Plaudit) -> None:
    process = plaudit.start("train", "recipe.toml", "--up", "--run-dir", "runs/one")
    wait_for(process, "training 1/3")
    learner = plaudit_child(plaudit, "plaudit-trainer", "learner")
    os.kill(learner, signal.SIGKILL)
    wait_for(process, "learner was killed by signal 9; starting it again in 1 s")
    wait_for(process, "learner is running")
    (plaudit.directory / "runs/one/go").touch()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    summary = json.loads((plaudit.directory / "runs/one/summary.json").read_text())
    assert summary["restarts"] == {"learner": 1}


def test_a_second_command_on_the_same_run_is_refused(plaudit: Plaudit) -> None:
    process = plaudit.start("train", "recipe.toml", "--up", "--run-dir", "runs/one")
    wait_for(process, "training 1/3")
    other = plaudit.run("train", "--resume", "runs/one", "--up")
    assert other.returncode == 2
    assert f"in use by another plaudit, process {process.pid}" in other.stderr
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_a_run_that_failed_says_why_and_exits_1(plaudit: Plaudit) -> None:
    done = plaudit.run(
        "train", "recipe.toml", "--up", "--run-dir", "r", STAND_IN_FAILURE="nothing progressed"
    )
    assert done.returncode == 1
    assert "failed: nothing progressed" in done.stderr
    assert "plaudit train --resume" in done.stderr
    assert (plaudit.directory / "r/recipe.toml").exists()


def test_a_run_that_a_setting_made_fail_exits_2_with_the_fix(plaudit: Plaudit) -> None:
    failure = "the disk is full. Fix: free space there"
    done = plaudit.run(
        "train", "recipe.toml", "--up", STAND_IN_FAILURE=failure, STAND_IN_SETTING="1"
    )
    assert done.returncode == 2
    assert "error: the disk is full.\nfix: free space there\n" in done.stderr
    assert [path for path in (plaudit.directory / "runs").iterdir() if path.is_dir()] == []


def test_a_wrong_setting_of_a_service_stops_all_and_leaves_no_run_behind(plaudit: Plaudit) -> None:
    done = plaudit.run("train", "recipe.toml", "--up", STAND_IN_WRONG_SETTING="reward api")
    assert done.returncode == 2
    assert "error: reward: reward.color = 'red' is unknown" in done.stderr
    assert "fix: leave it out" in done.stderr
    assert [path for path in (plaudit.directory / "runs").iterdir() if path.is_dir()] == []


def test_a_run_directory_that_exists_is_refused_before_anything_starts(plaudit: Plaudit) -> None:
    (plaudit.directory / "mine").mkdir()
    (plaudit.directory / "mine/notes.txt").write_text("keep me")
    done = plaudit.run("train", "recipe.toml", "--up", "--run-dir", "mine")
    assert done.returncode == 2
    assert "--run-dir mine: exists already" in done.stderr
    assert "fix: choose another directory" in done.stderr
    assert [path.name for path in (plaudit.directory / "mine").iterdir()] == ["notes.txt"]


def test_a_port_in_use_names_setting_port_and_owner_and_nothing_is_started(
    plaudit: Plaudit,
) -> None:
    port = int(plaudit.env["PLAUDIT_REWARD_PORT"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = plaudit.run("train", "recipe.toml", "--up")
    assert done.returncode == 2
    assert f"port {port} for reward (setting PLAUDIT_REWARD_PORT) is in use" in done.stderr
    assert f"process {os.getpid()}" in done.stderr
    assert not (plaudit.directory / "runs").exists()
    assert not (plaudit.directory / "cache").exists()


def test_without_up_what_is_missing_is_listed(plaudit: Plaudit) -> None:
    done = plaudit.run("train", "recipe.toml")
    assert done.returncode == 2
    for name in ("service rollout", "service reward", "Redis"):
        assert f"  {name}: " in done.stderr
    assert "plaudit up" in done.stderr and "--up" in done.stderr
    assert not (plaudit.directory / "runs").exists()


def test_mistakes_in_a_recipe_name_the_key_and_the_nearest_valid_one(plaudit: Plaudit) -> None:
    done = plaudit.run("train", "recipe.toml", "--set", "method.learning_rat=1")
    assert done.returncode == 2
    assert "learning_rat: unknown; did you mean `learning_rate`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_or_model_that_does_not_exist_is_named_with_its_setting(plaudit: Plaudit) -> None:
    for setting, value in (("data.train", "missing.jsonl"), ("model.path", "./missing")):
        done = plaudit.run("train", "recipe.toml", "--up", "--set", f"{setting}={value}")
        assert done.returncode == 2
        assert f"{setting} = '{value}': no such" in done.stderr
    assert not (plaudit.directory / "runs").exists()


def test_an_unknown_recipe_lists_those_that_come_with_plaudit(plaudit: Plaudit) -> None:
    done = plaudit.run("train", "dmeo")
    assert done.returncode == 2
    assert "gsm8k" in done.stderr


def test_dry_run_prints_the_resolved_recipe_checks_all_and_writes_nothing(
    plaudit: Plaudit,
) -> None:
    done = plaudit.run("train", "recipe.toml", "--dry-run", "--json", "--set", "budget.steps=7")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["recipe"]["budget"]["steps"] == 7
    assert found["recipe"]["model"]["path"] == str(plaudit.directory / "cache/model")
    checks = {check["name"]: check["ok"] for check in found["checks"]}
    assert checks == {
        "files": True, "mixing": True, "reward names": None,
        "service rollout": False, "service reward": False,
    }  # fmt: skip
    assert not (plaudit.directory / "runs").exists()


def test_models_that_a_reward_service_elsewhere_does_not_get_are_told(plaudit: Plaudit) -> None:
    model = ("--set", "reward_models.mine.kind=vllm", "--set", "reward_models.mine.path=owner/name")
    for mode in (["--dry-run"], []):
        done = plaudit.run("train", "recipe.toml", *mode, *model)
        assert "[reward_models] of the recipe (mine) is not used" in done.stderr


def test_dry_run_of_a_run_that_starts_its_services_asks_for_the_reward_names(
    plaudit: Plaudit,
) -> None:
    done = plaudit.run("train", "recipe.toml", "--dry-run", "--up")
    assert done.returncode == 0, done.stderr
    assert "ok   reward names: accuracy" in done.stderr
    assert 'name = "tiny"' in done.stdout
    wrong = plaudit.run("train", "recipe.toml", "--dry-run", "--up", "--set", "rewards.0.name=acc")
    assert wrong.returncode == 2
    assert "rewards.0.name = 'acc': the reward service has no such reward" in wrong.stderr
    assert "did you mean 'accuracy'?" in wrong.stderr


def test_a_misspelt_reward_ends_the_run_at_once_and_leaves_none_behind(plaudit: Plaudit) -> None:
    done = plaudit.run("train", "recipe.toml", "--up", "--set", "rewards.0.name=lenght")
    assert done.returncode == 2
    assert "rewards.0.name = 'lenght'" in done.stderr and "'length'" in done.stderr
    assert [path for path in (plaudit.directory / "runs").iterdir() if path.is_dir()] == []
    assert not (plaudit.directory / "runs/latest").is_symlink()


def plaudit_child(plaudit: Plaudit, program: str, role: str) -> int:
    for pid in plaudit.processes():
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        if any(a.endswith(program) for a in arguments) and role in arguments:
            return pid
    raise AssertionError(f"{program} {role} does not run")
