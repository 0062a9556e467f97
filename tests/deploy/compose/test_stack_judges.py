"""The profiles of paid judges, against a server that speaks their wire formats."""

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from .command import run
from .stack import Stack

pytestmark = pytest.mark.timeout(600)
PLAUDIT = Path(sys.executable).with_name("plaudit")
PAIRS = [{"id": n, "prompt": f"{n}+{n}=", "a": f"It is {2 * n}.", "b": "No."} for n in range(40)]
RESPONSES = ["4", "No idea."]
GROUP = {"id": 1, "prompt": "2+2=", "responses": RESPONSES}
TIE = {"id": 1, "prompt": "2+2=", "a": "4", "b": "5"}


def judged(stack: Stack, verb: str, judge: str, lines: list[dict[str, Any]]) -> list[Any]:
    """What an evaluation job on the host gets, as docs/deploy-compose.md has it."""
    stack.up("endpoint", f"judge-{judge}")
    stack.wait_healthy(f"judge-{judge}")
    questions = stack.directory / f"{judge}.jsonl"
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    key_file = str(stack.directory / "secrets" / "api_key")
    env = {"PLAUDIT_JUDGE_URL": stack.url("judge"), "PLAUDIT_API_KEY_FILE": key_file}
    run(PLAUDIT, "judge", verb, questions, "--judge", judge, "--run-id", judge, env=env)
    answers = questions.with_suffix(f".{verb}.jsonl").read_text().splitlines()
    return [json.loads(line)["response"] for line in answers]


def test_claude_judges_pairs_and_its_price_is_counted(stack: Stack) -> None:
    answers = judged(stack, "pairwise", "claude", PAIRS)
    assert len(answers) == len(PAIRS)
    assert [vote["winner"] for vote in answers[0]["votes"]] == ["a", "b"], "shown first, each time"
    headers = {"Authorization": f"Bearer {stack.key}"}
    url = f"{stack.url('judge')}/v1/costs?run_id=claude"
    assert httpx.get(url, headers=headers, verify=False).json()["cost_usd"] > 0


def test_nemotron_gives_rewards_and_compares_by_them(stack: Stack) -> None:
    (answer,) = judged(stack, "reward", "nemotron", [GROUP])
    assert answer["rewards"] == [len(text) for text in RESPONSES]
    (compared,) = judged(stack, "pairwise", "nemotron", [TIE])
    assert compared["winner"] == "tie"
