"""The reward's end of the harness: what to run in the sandbox, and what the tests say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import ValidationError

from plaudit.schemas.common import Contract
from plaudit.schemas.sandbox import Limits, RunRequest, RunResult

_PACKAGE = "plaudit_reward.harness"
_SHARED = ("plain_data", "streams")


class Verdict(Contract):
    """unknown: the answers to `calls` are needed. unusable: these tests cannot be run like this."""

    outcome: Literal["passed", "failed", "unknown", "unusable"]
    reason: str = ""
    calls: list[str] = []


@dataclass(frozen=True)
class UnitTests:
    """As HumanEval has them: `test` defines check(candidate), or calls `entry_point` itself."""

    prompt: str
    test: str
    entry_point: str

    def request(self, calls: Sequence[str], output: str, limits: Limits) -> RunRequest:
        """Run the tests against what `candidate_request` for these calls has printed."""
        job = {
            "prompt": self.prompt,
            "test": self.test,
            "entry_point": self.entry_point,
            "calls": calls,
            "output": output,
        }
        return _request("tests_side", job, limits)

    def candidate_request(
        self, programs: Sequence[str], calls: Sequence[str], limits: Limits
    ) -> RunRequest:
        """Have the first of `programs` that is Python answer calls."""
        job = {"programs": programs, "entry_point": self.entry_point, "calls": calls}
        return _request("candidate_side", job, limits)


def verdict_of(result: RunResult) -> Verdict | None:
    """None when the tests came to no end within the limits."""
    if result.status != "ok":
        return None
    try:
        return Verdict.model_validate_json(result.stdout)
    except ValidationError:
        return None


def _request(side: str, job: Mapping[str, object], limits: Limits) -> RunRequest:
    return RunRequest(
        code=f"from {_PACKAGE}.{side} import main\nmain()\n",
        files={
            f"{_PACKAGE.replace('.', '/')}/{name}.py": _source(name) for name in (*_SHARED, side)
        },
        stdin=json.dumps(job),
        limits=limits,
    )


@cache
def _source(name: str) -> str:
    return resources.files(_PACKAGE).joinpath(f"{name}.py").read_text(encoding="utf-8")
