"""No request makes the reward service fail, whatever is in it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from plaudit.testing import free_port, redis_server
from plaudit_reward.registry import load_registry
from tests.reward.conftest import Process

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance",
)  # fmt: skip
NAMES = sorted(load_registry().rewards)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The API with a worker of each pool that needs no model, and a sandbox."""
    port, sandbox_port = str(free_port()), str(free_port())
    with ExitStack() as stack:
        env = {
            "PLAUDIT_REDIS_URL": stack.enter_context(redis_server()),
            "PLAUDIT_REWARD_PORT": port,
            "PLAUDIT_REWARD_SCORE_TIMEOUT_S": "10",
            "PLAUDIT_REWARD_LOG_LEVEL": "error",
            "PLAUDIT_SANDBOX_PORT": sandbox_port,
            "PLAUDIT_SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
        }
        stack.enter_context(Process("plaudit_sandbox", "api", **env))
        stack.enter_context(Process("plaudit_reward", "api", **env))
        for pool in ("rules", "code"):
            stack.enter_context(Process("plaudit_reward", "worker", "--pool", pool, **env))
        until_ready(address := f"http://127.0.0.1:{port}")
        yield address


def until_ready(url: str) -> None:
    transport = httpx.HTTPTransport(retries=8)
    with httpx.Client(transport=transport, timeout=30) as client:
        assert client.get(f"{url}/readyz").status_code == 200


def test_the_openapi_document_is_kept_and_nothing_is_a_500(url: str, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json",
        "--checks", ",".join(CHECKS), "--max-examples", "20", "--request-timeout", "30",
        "--suppress-health-check", "all", "--seed", "1", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-6000:]


texts = st.text(st.characters(), max_size=60) | st.sampled_from(
    [
        "<think>\n1\n</think>\n<answer>\n4\n</answer>", "```python\nprint(4)\n```", "\\boxed{4}",
        "9^{9^{9^9}}", "\\frac{" * 300, "{" * 3000, "0" * 3000, "1e999999", "#### 4", "(((4",
        "4!" * 50,
    ]
)  # fmt: skip
keys = st.sampled_from(
    [
        "answer", "tests", "subtasks", "test", "entry_point", "prompt", "num_tokens", "language",
        "gold_index", "n_options", "opinion_direction",
    ]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["stdin", "stdout", "points", "tests"]) | texts, inner, max_size=3
        )
    ),
    max_leaves=6,
)
groups = st.fixed_dictionaries(
    {
        "group_id": st.text(min_size=1, max_size=9),
        "prompt": st.just([]),
        "completions": st.lists(
            st.fixed_dictionaries(
                {"text": texts},
                optional={
                    "num_tokens": st.integers(0, 9),
                    "token_ids": st.lists(st.integers(0, 3), max_size=6),
                    "finish_reason": st.sampled_from(["stop", "length", "abort"]),
                },
            ),
            min_size=1,
            max_size=3,
        ),
        "reference": st.dictionaries(keys, values, max_size=4),
    }
)


@settings(max_examples=25, deadline=None, phases=[Phase.generate])  # shrinking takes minutes
@given(group=groups, names=st.sets(st.sampled_from(NAMES), min_size=1, max_size=6))
def test_any_text_and_any_reference_get_numbers_or_reasons(
    url: str, group: dict[str, Any], names: set[str]
) -> None:
    request = {"groups": [group], "rewards": [{"name": name} for name in sorted(names)]}
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{url}/v1/score", content=json.dumps(request), headers=headers, timeout=40)
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 200:
        for score in answer.json()["groups"][0]["scores"]:
            nulls = {name for name, value in score["rewards"].items() if value is None}
            assert set(score["rewards"]) == names
            assert set(score["errors"]) == nulls
            assert not any("reward failed" in reason for reason in score["errors"].values()), score
