"""A program that was compiled already is not compiled again."""

from typing import Any

import pytest

from plaudit.schemas.sandbox import Binary, RunStatus, StepResult
from plaudit_sandbox.builds import Builds
from plaudit_sandbox.steps import StepAnswer
from tests.sandbox.conftest import Sandbox


def job(code: str) -> dict[str, Any]:
    return {"files": {"main.c": code}, "command": ["gcc"]}


def answer(text: str, status: RunStatus = "ok") -> StepAnswer:
    result = StepResult(
        status=status, exit_code=0, stdout="", stderr="", wall_s=1.0, cpu_s=1.0, peak_memory_bytes=1
    )
    build = {".build/main": Binary(base64=text)}
    return StepAnswer(result=result, files={}, files_missing={}, build=build)


def test_the_least_recently_used_go_first() -> None:
    builds = Builds(max_bytes=8)
    for code in "ab":
        builds.put(job(code), answer("AAAA"))
    assert builds.get(job("a")) == answer("AAAA")
    builds.put(job("c"), answer("BBBB"))
    assert builds.get(job("b")) is None
    assert (builds.get(job("a")), builds.get(job("c"))) == (answer("AAAA"), answer("BBBB"))


def test_one_that_is_too_large_is_not_kept() -> None:
    builds = Builds(max_bytes=4)
    builds.put(job("a"), answer("AAAAAAAA"))
    assert builds.get(job("a")) is None


@pytest.mark.parametrize("status", ["error", "timeout", "memory", "killed"])
def test_only_success_is_kept(status: RunStatus) -> None:
    builds = Builds(max_bytes=100)
    builds.put(job("a"), answer("AAAA", status))
    assert builds.get(job("a")) is None


async def test_the_same_program_has_one_build_and_another_its_own(sandbox: Sandbox) -> None:
    await sandbox.needs("c")
    code = '#include <stdio.h>\nint main(void) { puts("%s"); }'
    first, again, other = [
        await sandbox.call(code % word, language="c") for word in ("one", "one", "two")
    ]
    assert [one.stdout for one in (first, again, other)] == ["one\n", "one\n", "two\n"]
    assert again.compile == first.compile
    assert other.compile != first.compile
