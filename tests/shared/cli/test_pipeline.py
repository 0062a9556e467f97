"""`plaudit pipeline` as a user meets it: real processes, stand-ins for the services."""

import json
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import Protocol

import pytest


class Plaudit(Protocol):
    directory: Path

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]": ...
    def run(
        self, *arguments: str, timeout_s: float = 150.0, **env: str
    ) -> "subprocess.CompletedProcess[str]": ...
    def processes(self) -> list[int]: ...


PIPELINE = """
name = "two"
[[stages]]
name = "one"
recipe = "recipe.toml"
[[stages]]
name = "two"
recipe = "recipe.toml"
[stages.set]
"model.path" = "{one.final}"
"data.train" = "late.jsonl"
[stages.env]
PLAUDIT_REWARD_MODELS__RM__PATH = "{one.final}"
"""
COMMAND = ("pipeline", "pipeline.toml", "--up", "--run-dir", "runs/p")


@pytest.fixture
def files(plaudit: Plaudit) -> Path:
    """The second stage lacks a file."""
    (plaudit.directory / "pipeline.toml").write_text(PIPELINE)
    return plaudit.directory


def states(directory: Path) -> list[str]:
    found = json.loads((directory / "runs/p/pipeline.json").read_text())
    return [stage["state"] for stage in found["stages"]]


def test_what_is_stopped_or_fails_goes_on_where_it_was_and_nothing_runs_twice(
    plaudit: Plaudit, files: Path
) -> None:
    process = plaudit.start(*COMMAND)
    assert process.stdout is not None
    for line in process.stdout:
        if "training 1/3" in line:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert "stopped. resume with: plaudit pipeline --resume runs/p --up" in rest
    assert states(files) == ["stopped", "pending"]
    assert plaudit.processes() == []
    created = (files / "runs/p/one/run.json").read_text()

    done = plaudit.run(
        "pipeline", "--resume", "runs/p", "--up", "-q", timeout_s=120, STAND_IN_FAST="1"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert (files / "runs/p/one/run.json").read_text() == created, "the same run went on"
    assert "error: stage 'two' failed: data.train = 'late.jsonl': no such file" in done.stderr
    assert states(files) == ["finished", "failed"]
    assert "accuracy 0.4 -> 0.7, gain 0.3 (95 %: 0.2 to 0.4)" in done.stdout
    first = (files / "runs/p/one/summary.json").stat().st_mtime_ns

    (files / "late.jsonl").write_text("{}\n")
    done = plaudit.run(
        "pipeline", "--resume", "p", "--up", "--json", timeout_s=120, STAND_IN_FAST="1"
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert states(files) == ["finished", "finished"]
    assert summary["stages"][1]["metric"] == {
        "name": "accuracy", "before": 0.4, "after": 0.7, "gain": 0.3, "gain_ci95": [0.2, 0.4],
    }  # fmt: skip
    assert (files / "runs/p/one/summary.json").stat().st_mtime_ns == first, "not run again"
    assert_handed_on(files / "runs/p")
    assert plaudit.processes() == []


def assert_handed_on(directory: Path) -> None:
    """The second stage trained the first's model, and its reward worker was told of it."""
    model = str(directory / "one/final")
    assert tomllib.loads((directory / "two/recipe.toml").read_text())["model"]["path"] == model
    assert json.loads((directory / "two/run.json").read_text())["run_id"] == "p.two"
    assert model in (directory / "two/logs/reward-model.log").read_text()
    page = (directory / "pipeline.html").read_text()
    assert '<a href="one/report.html">one</a>' in page and "0.2 to 0.4" in page


def test_a_dry_run_checks_every_stage_on_the_model_that_its_model_will_come_from(
    plaudit: Plaudit, files: Path
) -> None:
    (files / "late.jsonl").write_text("{}\n")
    first, second = PIPELINE.rsplit("[[stages]]", 1)
    wrong = 'set = {"data.train" = "no"}\n[[stages]]'
    (files / "pipeline.toml").write_text(f"{first}{wrong}{second}")
    done = plaudit.run("pipeline", "pipeline.toml", "--up", "--dry-run", "--json", timeout_s=120)
    assert done.returncode == 1
    one, two = json.loads(done.stdout)["stages"]
    assert not one["ok"] and "data.train = 'no': no such file" in one["error"]
    assert two == {"name": "two", "ok": True, "error": None}
    assert f'two | path = "{files}/cache/model"' in done.stderr
    assert not (files / "runs").exists()
