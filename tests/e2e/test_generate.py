"""`plaudit generate` against a real vLLM: by the rollout service, and by vLLM's own endpoint."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from plaudit.schemas.generate import GeneratedRow
from tests.e2e.installation import Installation, needs_vllm

NUM_ROWS = 96
GREEDY = ("--temperature", "0", "--top-p", "1", "--top-k", "0", "--max-tokens", "24")
TIMEOUT_S = 240.0

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    needs_vllm,
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """With an engine that serves the demo's seed model, and a file of prompts."""
    installation = Installation(tmp_path_factory.mktemp("generate") / "up")
    prompts = [{"id": f"row-{n}", "prompt": f"What is {n} + 3?"} for n in range(NUM_ROWS)]
    text = "".join(json.dumps(prompt) + "\n" for prompt in prompts)
    (installation.directory / "in.jsonl").write_text(text)
    with installation.up("rollout"):
        yield installation


def answers(path: Path) -> list[GeneratedRow]:
    return [GeneratedRow.model_validate_json(line) for line in path.read_text().splitlines()]


def texts(rows: list[GeneratedRow]) -> list[str]:
    return [completion.text for row in rows for completion in row.completions]


def test_every_row_is_answered_as_vllms_own_endpoint_answers_it(installation):
    installation.run("generate", "in.jsonl", "ours.jsonl", *GREEDY, timeout_s=TIMEOUT_S)
    url = f"http://127.0.0.1:{installation.engine_port}/v1"
    model = httpx.get(f"{url}/models", trust_env=False).json()["data"][-1]["id"]
    endpoint = ("--endpoint", url, "--model", model)
    installation.run("generate", "in.jsonl", "its.jsonl", *GREEDY, *endpoint, timeout_s=TIMEOUT_S)
    ours, its = (answers(installation.directory / name) for name in ("ours.jsonl", "its.jsonl"))
    assert [row.id for row in ours] == [f"row-{n}" for n in range(NUM_ROWS)]
    assert [row.id for row in its] == [f"row-{n}" for n in range(NUM_ROWS)]
    assert all(texts(ours))
    assert len(set(texts(ours))) > NUM_ROWS / 8
    assert texts(ours) == texts(its)


def test_a_job_that_was_killed_goes_on_with_the_rows_that_lack(installation):
    command = ("generate", "in.jsonl", "killed.jsonl", "--n", "2", "--seed", "7")
    out = installation.directory / "killed.jsonl"
    first = installation.start(installation.directory / "first.log", *command, "--concurrency", "2")
    deadline_s = time.monotonic() + TIMEOUT_S
    while not out.exists() or len(out.read_bytes().splitlines()) < 8:
        assert first.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    first.kill()
    first.wait()
    before = out.read_bytes().splitlines()[:8]  # in the order in which they were answered
    installation.run(*command, timeout_s=TIMEOUT_S)
    assert set(before) <= set(out.read_bytes().splitlines()), "what was answered is kept"
    rows = answers(out)
    assert [row.id for row in rows] == [f"row-{n}" for n in range(NUM_ROWS)]
    assert all(len(row.completions) == 2 for row in rows)
    assert any(row.completions[0].text != row.completions[1].text for row in rows)
