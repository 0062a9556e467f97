"""Rewards in files, scored as a worker of the pool `rules` scores them."""

import asyncio
import os
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.reward import RewardGroup, RewardSpec, ScoreRequest
from plaudit_reward.registry import Registry, load_registry
from plaudit_reward.scoring import Resources, Scorer
from plaudit_reward.user_code.pool import UserCode
from plaudit_reward.user_code.process import UserCodeLimits
from plaudit_reward.verifier.pool import VerifierPool
from plaudit_reward.verifier.verifier import Verifier
from plaudit_reward.wire import PoolScores


class Files:
    """`await files.score("def f(completions): ...", group)`, in real processes."""

    def __init__(self, directory: Path, code: UserCode, verifier: Verifier) -> None:
        self.directory = directory
        self.code = code
        self.registry: Registry = load_registry()
        self.resources = Resources(verifier=verifier, others={UserCode: code})

    def write(self, source: str, name: str = "mine.py") -> Path:
        path = self.directory / name
        path.write_text(textwrap.dedent(source))
        return path

    async def ask(self, name: str, group: RewardGroup, **params: Any) -> PoolScores:
        scorer = Scorer(self.registry, "rules", self.resources, 2**20)
        spec = RewardSpec(name=name, params=params)
        return await scorer.score(ScoreRequest(groups=[group], rewards=[spec]))

    async def score(self, source: str, group: RewardGroup, **params: Any) -> list[Any]:
        """What its function `f` gives."""
        name = f"{self.write(source)}:f"
        return list((await self.ask(name, group, **params)).groups[0][name])

    def pids(self) -> list[int]:
        """Children of this process that have a program loaded."""
        found = []
        for path in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            found += [int(pid) for pid in path.read_text().split()]
        return [pid for pid in found if b"user_code.child" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
async def start(tmp_path: Path, pool: VerifierPool) -> AsyncIterator[Callable[..., Any]]:
    """`files = await start(timeout_s=1.0)`."""
    started: list[UserCode] = []

    async def call(
        timeout_s: float = 60.0, memory_bytes: int = 2**30, num_processes: int = 1
    ) -> Files:
        limits = UserCodeLimits(timeout_s, memory_bytes)
        code = UserCode([tmp_path / "allowed"], limits, num_processes)
        (tmp_path / "allowed").mkdir(exist_ok=True)
        started.append(code)
        return Files(tmp_path / "allowed", code, Verifier(pool))

    yield call
    for one in started:
        await one.__aexit__()
    await asyncio.sleep(0)


@pytest.fixture
async def files(start: Callable[..., Any]) -> Files:
    found: Files = await start()
    return found
