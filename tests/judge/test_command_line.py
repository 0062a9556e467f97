"""`plaudit judge` as a user runs it, against the service as it is run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from .conftest import ChatServer, Processes, completion, error, judge_service, shown

PLAUDIT = [sys.executable, "-m", "plaudit.cli"]
JUDGES = {
    "longest": {"kind": "rule", "rule": "longer"},
    "idle": {"kind": "rule", "rule": "longer"},
    "keyless": {"kind": "claude", "model": "m"},
}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def service(own_redis: str, _chat_server: ChatServer) -> Iterator[Processes]:
    env = {"PLAUDIT_JUDGE_JUDGES": json.dumps(JUDGES), "ANTHROPIC_API_KEY": ""}
    with judge_service(own_redis, _chat_server, **env) as processes:
        processes.start("worker", "--judge", "longest")
        yield processes


@pytest.fixture
def run(service: Processes, chat: ChatServer, tmp_path: Path) -> Run:
    def start(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*PLAUDIT, "judge", *arguments], cwd=tmp_path, env=environment(service, env),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return start


def environment(service: Processes, env: dict[str, str]) -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith("PLAUDIT_")}
    return own | {"PLAUDIT_JUDGE_URL": service.url} | env


def write(path: Path, *lines: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def pairs(num_pairs: int) -> list[dict[str, Any]]:
    """a is the larger number in all but every fourth."""
    return [
        {"id": i, "prompt": f"Count to {i}.", "a": "1" if i % 4 == 3 else "9", "b": "5"}
        for i in range(num_pairs)
    ]


def test_pairs_are_judged_and_summed_up(run: Run, chat: ChatServer, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", *pairs(8))
    done = run("pairwise", "in.jsonl", "--rubric", "demo", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["items"], summary["a_won"], summary["b_won"]) == (8, 6, 2)
    assert (summary["win_rate_of_a"], summary["calls"]) == (0.75, 16)
    assert summary["win_rate"]["low"] < 0.75 < summary["win_rate"]["high"]
    assert summary["flip_rate"]["value"] == 0.0
    answers = {line["id"]: line["response"] for line in read(tmp_path / "in.pairwise.jsonl")}
    assert [answers[str(i)]["winner"] for i in range(4)] == ["a", "a", "a", "b"]


def test_the_same_command_again_asks_for_nothing_twice(
    run: Run, chat: ChatServer, tmp_path: Path
) -> None:
    def some_are_too_long(body: dict[str, Any]) -> web.Response:
        return error(400, "too long") if "1" in shown(body) else completion("Winner: tie")

    chat.behave = some_are_too_long
    write(tmp_path / "in.jsonl", *pairs(8))
    command = ("pairwise", "in.jsonl", "-o", "out.jsonl", "--rubric", "demo", "--set", "seed=5")
    done = run(*command)
    assert done.returncode == 1
    assert "2 items failed, e.g. " in done.stderr and "too long" in done.stderr
    assert {line["id"] for line in read(tmp_path / "out.failures.jsonl")} == {"3", "7"}
    chat.reset()
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert len(chat.asked) == 4, "both orders of the two that failed"
    assert not (tmp_path / "out.failures.jsonl").exists()
    assert "win rate of a" in done.stdout and "0.375" in done.stdout


def test_a_killed_run_goes_on_and_pays_for_nothing_twice(
    service: Processes, run: Run, chat: ChatServer, tmp_path: Path
) -> None:
    chat.delay_s = 0.05
    write(tmp_path / "in.jsonl", *pairs(60))
    command = ("pairwise", "in.jsonl", "--rubric", "demo", "--concurrency", "4", "--set", "seed=6")
    env = environment(service, {})
    first = subprocess.Popen([*PLAUDIT, "judge", *command], cwd=tmp_path, env=env)
    output = tmp_path / "in.pairwise.jsonl"
    while not output.exists() or len(output.read_bytes().splitlines()) < 5:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert len(read(output)) < 60
    done = run(*command, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answered_earlier"] >= 5
    assert sorted(int(line["id"]) for line in read(output)) == list(range(60))
    assert len(chat.asked) == 120, "each pair in both orders, once"


def test_groups_are_ranked_by_the_options_given(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", {"id": "g", "prompt": "Write.", "responses": ["aaa", "a", "aa"]})
    options = ("--judge", "longest", "--set", "reward_form=rank", "--set", "rating=win_rate")
    done = run("tournament", "in.jsonl", *options)
    assert done.returncode == 0, done.stderr
    [line] = read(tmp_path / "in.tournament.jsonl")
    assert line["response"]["rewards"] == [3.0, 0.0, 1.5]
    done = run("reward", "in.jsonl", "--judge", "longest")
    assert done.returncode == 0, done.stderr
    [line] = read(tmp_path / "in.reward.jsonl")
    assert line["response"]["rewards"] == [3.0, 1.0, 2.0]


def test_a_judge_is_held_against_what_is_right(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", *(pair | {"gold": "a"} for pair in pairs(8)))
    done = run("calibrate", "in.jsonl", "--rubric", "demo", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"]["value"] == 0.75
    done = run("calibrate", "in.jsonl", "--rubric", "demo")
    assert "accuracy" in done.stdout and "0.75  (95 %: " in done.stdout


def test_scores_are_held_against_what_is_right(run: Run, tmp_path: Path) -> None:
    texts = ["a", "aa", "aaa", "aaaa"]
    lines = [{"prompt": "Write.", "response": text, "gold": len(text) ** 2} for text in texts]
    write(tmp_path / "in.jsonl", *lines)
    done = run("calibrate", "in.jsonl", "--judge", "longest", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["spearman"]["value"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--judge", "nobody"), "judge 'nobody': judge at"),
        (("--judge", "keyless"), "judge 'keyless' is not available: "),
        (("--rubric", "nothing"), "rubric 'nothing': judge at"),
        (("--set", "votez=2"), "pairwise has no field 'votez'"),
        (("-o", "in.jsonl"), "--output in.jsonl is the input itself"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_asked(
    run: Run, chat: ChatServer, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    write(tmp_path / "in.jsonl", *pairs(1))
    done = run("pairwise", "in.jsonl", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert chat.asked == []


def test_a_service_that_is_not_there_is_named_with_its_setting(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", *pairs(1))
    done = run("pairwise", "in.jsonl", PLAUDIT_JUDGE_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "PLAUDIT_JUDGE_URL" in done.stderr and "plaudit up judge" in done.stderr


def test_a_judge_without_a_worker_ends_the_run_instead_of_hanging(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", *pairs(1))
    done = run("pairwise", "in.jsonl", "--judge", "idle", "--stall-timeout-s", "1")
    assert done.returncode == 1
    assert "no item was answered for --stall-timeout-s = 1" in done.stderr
