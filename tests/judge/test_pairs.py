"""From prompts to preference pairs on the command line, over the service as it is run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from plaudit.schemas.examples import Preference

from .conftest import ChatServer, Processes, completion, judge_service

TEXTS = {"p0": ["a", "aaa", "aa"], "p1": ["b", "b", "b"], "p2": ["cc", "dd", "cc"]}


@pytest.fixture(scope="module")
def service(own_redis: str, _chat_server: ChatServer) -> Iterator[Processes]:
    judges = {"longest": {"kind": "rule", "rule": "longer"}}
    with judge_service(
        own_redis, _chat_server, workers=["longest"], PLAUDIT_JUDGE_JUDGES=json.dumps(judges)
    ) as processes:
        yield processes


def plaudit(
    service: Processes, directory: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    own = {k: v for k, v in os.environ.items() if not k.startswith("PLAUDIT_")}
    return subprocess.run(
        [sys.executable, "-m", "plaudit.cli", *arguments], cwd=directory,
        env=own | {"PLAUDIT_JUDGE_URL": service.url}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def several(body: dict[str, Any]) -> web.Response:
    texts = TEXTS[body["messages"][-1]["content"]]
    assert body["n"] == len(texts)
    choices = [{"message": {"content": text}, "finish_reason": "stop"} for text in texts]
    return completion(None, choices=choices)


def pairs_in(path: Path) -> list[Preference]:
    return [Preference.model_validate_json(line) for line in path.read_text().splitlines()]


def test_generations_become_pairs_that_dpo_can_read(
    service: Processes, chat: ChatServer, tmp_path: Path
) -> None:
    chat.behave = several
    lines = (json.dumps({"id": name, "prompt": name}) + "\n" for name in TEXTS)
    (tmp_path / "prompts.jsonl").write_text("".join(lines))
    endpoint = ("--endpoint", chat.base_url, "--model", "policy-model", "--n", "3")
    done = plaudit(service, tmp_path, "generate", "prompts.jsonl", "gen.jsonl", *endpoint)
    assert done.returncode == 0, done.stderr

    command = ("pairs", "gen.jsonl", "dpo.jsonl", "--judge", "longest", "--json")
    done = plaudit(service, tmp_path, *command)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["tournaments"], summary["pairs"]) == (2, 1)
    assert (summary["skipped_one_answer"], summary["skipped_tie"]) == (1, 1)
    [pair] = pairs_in(tmp_path / "dpo.jsonl")
    assert (pair.id, pair.prompt[0].content, pair.chosen, pair.rejected) == ("p0", "p0", "aaa", "a")
    assert pair.margin is not None and pair.margin > 0

    done = plaudit(service, tmp_path, *command, "--all-above", "0")
    assert json.loads(done.stdout)["answered_earlier"] == 2, "no tournament is held twice"
    found = [(pair.chosen, pair.rejected) for pair in pairs_in(tmp_path / "dpo.jsonl")]
    assert found == [("aaa", "aa"), ("aaa", "a"), ("aa", "a")]
