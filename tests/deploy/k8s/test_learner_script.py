"""The shell script that is process 1 of a learner's pod, with another program in its place."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from .chart import named, needs_helm, objects

pytestmark = needs_helm
STOPPED = 143


@pytest.fixture
def script(tmp_path: Path) -> str:
    job = named(objects("cpu-demo"), "Job", "learner")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return str(container["args"][0]).replace("/var/lib/plaudit/runs/rel", str(tmp_path))


def start(script: str, folder: Path, learner: str) -> subprocess.Popen[str]:
    program = folder / "plaudit-trainer"
    program.write_text(f"#!/bin/sh\n{learner}\n")
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    command = ["sh", "-c", script]
    return subprocess.Popen(command, env={"PATH": path}, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_code_of_the_learner_is_the_code_of_the_pod(
    script: str, tmp_path: Path, code: int
) -> None:
    with start(script, tmp_path, f"touch $3/final; exit {code}") as process:
        assert process.wait(60) == code


def test_a_run_that_is_over_is_not_started_again(script: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").touch()
    with start(script, tmp_path, "exit 7") as process:
        assert process.wait(60) == 0


def test_a_node_that_ends_because_another_was_stopped_is_started_again(
    script: str, tmp_path: Path
) -> None:
    """What stops the first node's learner ends all, and the others get no signal."""
    with start(script.replace("timeout 60", "timeout 0.1"), tmp_path, "exit 0") as process:
        assert process.wait(60) == STOPPED


@pytest.mark.parametrize("own", [0, 1])
@pytest.mark.parametrize(("at_the_end", "code"), [("", STOPPED), ("touch $3/final;", 0)])
def test_a_stopped_learner_is_waited_for_and_is_no_finished_one(
    script: str, tmp_path: Path, at_the_end: str, code: int, own: int
) -> None:
    """It ends with 0, which a Job would take for the end of the run; torchrun makes it a 1."""
    on_stop = f"{at_the_end} touch $3/checkpoint; exit {own}"
    learner = f"trap '{on_stop}' TERM; echo up; while :; do sleep 0.05; done"
    with start(script, tmp_path, learner) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == code
    assert (tmp_path / "checkpoint").exists()
