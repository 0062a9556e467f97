"""One program on many inputs: one call where it is quick, every input judged where it is slow."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plaudit.client import ClientOptions, SandboxClient
from plaudit.schemas.reward import RewardSpec, ScoreRequest
from plaudit.schemas.sandbox import Limits, RunRequest, RunResult
from plaudit.testing import free_port
from plaudit_reward.cases import MAX_CASES, MAX_INPUT_BYTES, run_cases
from plaudit_reward.registry import load_registry
from plaudit_reward.scoring import GroupContext, Resources, Scorer
from tests.reward.conftest import Process, until_healthy


@dataclass(frozen=True)
class Counted(GroupContext):
    """Remembers what was asked of the real sandbox."""

    asked: list[RunRequest] = field(default_factory=list)

    async def run(self, request: RunRequest) -> RunResult:
        self.asked.append(request)
        return await super().run(request)


def counted(sandbox: SandboxClient, group: Any) -> Counted:
    return Counted(group("-"), Resources(sandbox=sandbox, sandbox_places=asyncio.Semaphore(8)))


async def test_a_quick_program_is_one_call_for_all_inputs(
    sandbox: SandboxClient, group: Any
) -> None:
    context = counted(sandbox, group)
    inputs = [str(number) for number in range(MAX_CASES)]
    results = await run_cases("print(int(input()) + 1)", "python", inputs, Limits(), context)
    assert [one.stdout for one in results] == [f"{number + 1}\n" for number in range(MAX_CASES)]
    assert len(context.asked) == 1


async def test_inputs_that_are_large_together_are_several_calls(
    sandbox: SandboxClient, group: Any
) -> None:
    context = counted(sandbox, group)
    inputs = [f"{letter * (MAX_INPUT_BYTES // 2)}\n" for letter in "abc"]
    results = await run_cases("print(input()[0])", "python", inputs, Limits(), context)
    assert [one.stdout for one in results] == ["a\n", "b\n", "c\n"]
    assert [len(request.cases) for request in context.asked] == [1, 1, 1]


async def test_a_program_that_hangs_on_every_input_has_a_verdict_for_each(
    sandbox: SandboxClient, group: Any
) -> None:
    context = counted(sandbox, group)
    inputs = [str(number) for number in range(12)]
    code = "import time; time.sleep(60 * (input() != '7'))"
    started_s = time.monotonic()
    results = await run_cases(code, "python", inputs, Limits(wall_s=0.5), context)
    assert [one.status for one in results] == ["timeout"] * 7 + ["ok"] + ["timeout"] * 4
    assert 1 < len(context.asked) <= 12
    assert time.monotonic() - started_s < 60


async def test_a_case_that_the_sandbox_failed_is_null_and_retryable(group: Any) -> None:
    port = str(free_port())
    with Process("plaudit_sandbox", "api", PLAUDIT_SANDBOX_PORT=port) as process:
        async with SandboxClient(f"http://127.0.0.1:{port}", ClientOptions()) as sandbox:
            await until_healthy(sandbox)
            scorer = Scorer(load_registry(), "code", Resources(sandbox=sandbox), 2**20)
            tests = [{"stdin": f"{seconds}\n", "stdout": "x"} for seconds in (0, 2)]
            text = "```python\nimport time; time.sleep(int(input())); print('x')\n```"
            specs = [RewardSpec(name="code")]
            request = ScoreRequest(groups=[group(text, tests=tests)], rewards=specs)
            scoring = asyncio.create_task(scorer.score(request))
            await asyncio.sleep(1)
            [launcher] = children(process.pid)
            [monitor] = children(launcher)
            os.kill(monitor, signal.SIGKILL)
            found = await scoring
    [reason] = found.groups[0]["code"]
    assert isinstance(reason, str)
    assert reason.startswith("the sandbox could not run the tests: The sandbox's monitor")
    assert found.retryable


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
