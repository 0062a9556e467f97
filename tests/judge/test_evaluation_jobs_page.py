"""docs/evaluation-jobs.md: each of its examples is run as it stands, with curl, bash and python."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from .conftest import ChatServer, Processes, completion, judge_service

PAGE = (Path(__file__).parents[2] / "docs/evaluation-jobs.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.M | re.S)
SHELL = [text for kind, text in BLOCKS if kind == "sh"]
[PYTHON] = [text for kind, text in BLOCKS if kind == "python"]

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def a_judge(body: dict[str, Any]) -> web.Response:
    """Says whatever it is asked for: a winner, or a full score for every criterion."""
    text = body["messages"][-1]["content"]
    criteria = re.findall(r"^(\w+): <", text, re.M)
    lines = [f"{name}: 1" for name in criteria]
    return completion("\n".join([*lines, "Winner: response A"]))


@pytest.fixture(scope="module")
def service(own_redis: str, _chat_server: ChatServer) -> Iterator[Processes]:
    with judge_service(own_redis, _chat_server) as processes:
        yield processes


@pytest.fixture
def env(service: Processes, chat: ChatServer) -> dict[str, str]:
    chat.behave = a_judge
    own = {k: v for k, v in os.environ.items() if not k.startswith("PLAUDIT_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return own | {"PLAUDIT_JUDGE_URL": service.url, "PATH": path}


@pytest.mark.parametrize("block", SHELL, ids=range(len(SHELL)))
def test_an_example_for_the_shell_works_as_it_stands(
    block: str, env: dict[str, str], service: Processes, tmp_path: Path
) -> None:
    text = block.replace("localhost:8103", service.url.removeprefix("http://"))
    done = subprocess.run(
        ["bash", "-ec", text.replace("curl -s", "curl -sS --fail-with-body -w '\\n'")],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for line in done.stdout.splitlines() if "curl" in block else ():
        assert not line or json.loads(line)


def test_the_example_for_python_works_as_it_stands(
    env: dict[str, str], service: Processes, tmp_path: Path
) -> None:
    (tmp_path / "example.py").write_text(PYTHON.replace("http://127.0.0.1:8103", service.url))
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "calls=2" in done.stdout
