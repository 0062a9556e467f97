"""One call: the program compiled once, then run on each of its cases, within the call's bounds."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plaudit.errors import Unavailable
from plaudit.schemas.sandbox import (
    Binary,
    Case,
    CaseResult,
    FileContent,
    RunRequest,
    RunResult,
    RunStatus,
    StepResult,
)
from plaudit_sandbox.builds import Builds
from plaudit_sandbox.languages import Toolset
from plaudit_sandbox.steps import StepAnswer, compile_job, run_job
from plaudit_sandbox.toolchains import Toolchain

MAX_RESULT_BYTES = 8 * 2**20
"""No case starts when the cases before it have printed and written more than this."""

RunStep = Callable[[dict[str, Any]], Awaitable[StepAnswer]]


@dataclass(frozen=True)
class Call:
    request: RunRequest
    toolset: Toolset
    toolchain: Toolchain
    tier: str
    run_step: RunStep
    """Has the launcher do a job. Raises Unavailable when the sandbox itself fails."""
    builds: Builds
    deadline_s: float
    """On the monotonic clock; no case but the first starts that could end later."""

    async def run(self) -> RunResult:
        """
        Raises:
            Rejected: the files do not fit.
            Unavailable: the sandbox failed; of one of several cases it is that case's result.
        """
        compiled, build = await self._compile()
        if compiled is not None and compiled.status != "ok":
            none = [_not_run("compile_error") for _ in self.request.cases]
            return self._result(_not_run("compile_error"), compiled, none)
        if not self.request.cases:
            case = Case(stdin=self.request.stdin, args=self.request.args)
            return self._result(await self._run_case(case, build), compiled, [])
        cases = await self._run_cases(build)
        return self._result(_summary(cases), compiled, cases)

    async def _compile(self) -> tuple[StepResult | None, Mapping[str, FileContent]]:
        job = compile_job(self.request, self.toolset, self.toolchain)
        if job is None:
            return None, {}
        answer = self.builds.get(job)
        if answer is None:
            answer = await self.run_step(job)
            self.builds.put(job, answer)
        return answer.result, answer.build

    async def _run_cases(self, build: Mapping[str, FileContent]) -> list[CaseResult]:
        results: list[CaseResult] = []
        end_s = min(self.deadline_s, time.monotonic() + self.request.cases_wall_s)
        for case in self.request.cases:
            if reason := self._reason_to_stop(results, end_s):
                results.append(_not_run("skipped", reason))
                continue
            try:
                results.append(await self._run_case(case, build))
            except Unavailable as error:
                results.append(_not_run("sandbox_error", str(error)))
        return results

    def _reason_to_stop(self, results: list[CaseResult], end_s: float) -> str | None:
        if not results:
            return None
        if self.request.stop_at_first_failure and results[-1].status != "ok":
            return results[-1].reason or "an earlier case was no success (stop_at_first_failure)"
        if time.monotonic() + self.request.limits.wall_s > end_s:
            return "the call's time is used up: send this case again"
        if sum(map(_num_bytes, results)) > MAX_RESULT_BYTES:
            return "the cases before it have filled the answer: send this case again"
        return None

    async def _run_case(self, case: Case, build: Mapping[str, FileContent]) -> CaseResult:
        job = run_job(self.request, case, self.toolset, self.toolchain, build)
        answer = await self.run_step(job)
        return CaseResult(
            **dict(answer.result), files=answer.files, files_missing=answer.files_missing
        )

    def _result(
        self, found: CaseResult, compiled: StepResult | None, cases: list[CaseResult]
    ) -> RunResult:
        return RunResult(**dict(found), tier=self.tier, compile=compiled, cases=cases)


def _not_run(status: RunStatus, reason: str | None = None) -> CaseResult:
    return CaseResult(
        status=status, exit_code=None, stdout="", stderr="", wall_s=0.0, cpu_s=0.0,
        peak_memory_bytes=0, reason=reason,
    )  # fmt: skip


def _summary(cases: list[CaseResult]) -> CaseResult:
    """The first that is no success, as far as it says something of all; sums and the peak."""
    first = next((case for case in cases if case.status != "ok"), cases[0])
    return _not_run(first.status, first.reason).model_copy(
        update={
            "exit_code": first.exit_code,
            "wall_s": sum(case.wall_s for case in cases),
            "cpu_s": sum(case.cpu_s for case in cases),
            "peak_memory_bytes": max(case.peak_memory_bytes for case in cases),
        }
    )


def _num_bytes(result: CaseResult) -> int:
    texts = [result.stdout, result.stderr]
    for content in result.files.values():
        texts.append(content.base64 if isinstance(content, Binary) else content)
    return sum(map(len, texts))
