"""Rewards of installed packages, among them packages that are broken."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plaudit.errors import Rejected
from plaudit.schemas.reward import RewardSpec
from plaudit_reward.registry import load_registry

POINTS = """\
[plaudit.rewards]
shout = loud.rewards:shout
whisper = loud.rewards:whisper
accuracy = loud.rewards:whisper
again = loud.rewards:taken
lost = loud.rewards:nowhere
broken = loud.broken:anything
quits = loud.quits:anything
number = loud.rewards:NUMBER
"""
REWARDS = '''
import os
from plaudit.schemas.common import Contract
from plaudit_reward.reward import reward

NUMBER = 7

class ShoutParams(Contract):
    mark: str = "!"

@reward(source="this test", vectors=[])
def shout(group, params: ShoutParams, context):
    """How often the mark occurs."""
    if any("die" in one.text for one in group.completions):
        os._exit(1)
    return [float(one.text.count(params.mark)) for one in group.completions]

@reward(source="this test", vectors=[], name="format")
def taken(group, params: ShoutParams, context):
    """Has the name of one of Plaudit's."""
    return []

def whisper(completions, *, share=1.0):
    """Whether nothing is in capitals."""
    return [share * float(text == text.lower()) for text in completions]
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`loud` 1.2, installed as pip does it: a directory, and metadata beside it."""
    info = tmp_path / "loud-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(POINTS)
    source = tmp_path / "loud"
    source.mkdir()
    (source / "__init__.py").touch()
    (source / "rewards.py").write_text(REWARDS)
    (source / "broken.py").write_text("raise RuntimeError('not today')")
    (source / "quits.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    yield tmp_path


def test_what_a_package_offers_is_listed_and_what_fails_says_why(package: Path) -> None:
    listed = {one.name: one for one in load_registry().describe()}
    assert listed["shout"].description == "How often the mark occurs."
    assert "mark" in listed["shout"].params_schema["properties"]
    assert listed["whisper"].source == "loud 1.2"
    assert listed["accuracy"].available
    reasons = {name: one.reason or "" for name, one in listed.items() if not one.available}
    assert "'accuracy' of Open-R1" in reasons.pop("accuracy (loud 1.2)")
    assert "loud.rewards:taken of loud 1.2 has the name of the reward 'format'" in reasons["again"]
    assert "'nowhere'" in reasons["lost"]
    assert reasons["broken"] == "RuntimeError: not today"
    assert reasons["quits"] == "SystemExit: 3"
    assert "neither a function nor a @reward" in reasons["number"]
    assert set(reasons) == {"again", "lost", "broken", "quits", "number"}


def test_asking_for_what_fails_is_refused_with_the_reason(package: Path) -> None:
    registry = load_registry()
    with pytest.raises(Rejected, match="'broken': not available: RuntimeError: not today"):
        registry.choose([RewardSpec(name="broken")])
    with pytest.raises(Rejected, match=r"params\.marc: unknown; did you mean `mark`"):
        registry.choose([RewardSpec(name="shout", params={"marc": "?"})])


async def test_they_run_in_processes_of_their_own(
    package: Path, start: Callable[..., Any], group: Any
) -> None:
    files = await start()
    scores = await files.ask("shout", group("a!!", "b"))
    assert scores.groups == [{"shout": [2.0, 0.0]}]
    scores = await files.ask("shout", group("die"))
    assert scores.groups == [{"shout": ["its process ended with exit code 1"]}]
    scores = await files.ask("whisper", group("a", "A"), share=0.5)
    assert scores.groups == [{"whisper": [0.5, 0.0]}]


async def test_the_whole_service_with_a_file_and_a_package(
    package: Path, service: Any, group: Any, tmp_path: Path
) -> None:
    """API and worker as processes; the API has no directory allowed and runs no file."""
    mine = tmp_path / "mine.py"
    mine.write_text("def f(texts): return [len(text) / 4 for text in texts]")
    running = await service(user_code_dirs=f'["{tmp_path}"]')
    [worker] = await running.work("rules")
    asked = group("die", "a!!")
    response = await running.score(asked, f"{mine}:f", "shout", "whisper")
    first, second = response.groups[0].scores
    assert first.rewards == {f"{mine}:f": 0.75, "shout": None, "whisper": 1.0}
    assert first.errors == {"shout": "its process ended with exit code 1"}
    assert (first.total, second.errors.keys()) == (1.75, {"shout"})
    mine.write_text("import time\ndef f(texts): time.sleep(60)")
    asking = asyncio.create_task(running.score(asked, f"{mine}:f"))
    await asyncio.sleep(1.0)
    children = descendants_with(worker.pid, b"user_code.child")
    assert children
    worker.kill()
    await asyncio.sleep(0.3)
    assert [pid for pid in children if b"user_code" in command_of(pid)] == []
    asking.cancel()


def descendants_with(pid: int, word: bytes) -> list[int]:
    files = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for file in files for child in file.read_text().split()]
    return [child for child in children if word in command_of(child)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
