"""SandboxFusion's wire format: `POST /run_code` and `GET /v1/ping`.

Source: https://github.com/bytedance/SandboxFusion (sandbox/server/sandbox_api.py).
What differs: our limits hold for every run, and a request that asks for more than they allow is
refused as `SandboxError` with the reason, since a verdict under another limit would be wrong.
"""

import signal
from enum import Enum
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plaudit.errors import PlauditError, Rejected, Unavailable
from plaudit.schemas.sandbox import (
    CompileLimits,
    Language,
    Limits,
    RunRequest,
    RunResult,
    StepResult,
)
from plaudit.service import json_docs, json_response
from plaudit_sandbox.dialects.content import from_base64, to_base64
from plaudit_sandbox.dialects.limits import MAX, at_most, memory_limit_bytes
from plaudit_sandbox.dialects.patience import Patience

LANGUAGES: dict[str, Language] = {
    "python": "python", "nodejs": "javascript", "cpp": "cpp", "java": "java", "bash": "bash",
    "go": "go", "rust": "rust",
}  # fmt: skip
"""SandboxFusion's name to ours."""
_GATEWAY_TIMEOUT = 504


class _Wire(BaseModel):
    # why: SandboxFusion ignores keys that it does not know, and its clients rely on that.
    model_config = ConfigDict(extra="ignore", frozen=True)


class RunCodeRequest(_Wire):
    compile_timeout: float = Field(default=10.0, gt=0.0)
    run_timeout: float = Field(default=10.0, gt=0.0)
    memory_limit_MB: int = -1
    code: str
    stdin: str | None = None
    language: str
    files: dict[str, str | None] = {}
    """Path to content in base64."""
    fetch_files: list[str] = []


class Invalid(_Wire):
    """What FastAPI answers when a field is wrong."""

    detail: list[dict[str, Any]]


class CommandRunResult(_Wire):
    status: Literal["Finished", "Error", "TimeLimitExceeded"]
    execution_time: float | None = None
    return_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None


class RunCodeResponse(_Wire):
    status: Literal["Success", "Failed", "SandboxError"]
    message: str
    compile_result: CommandRunResult | None = None
    run_result: CommandRunResult | None = None
    executor_pod_name: str | None = None
    files: dict[str, str] = {}


def add_fusion_routes(app: FastAPI, patience: Patience) -> None:
    docs = json_docs(RunCodeRequest, RunCodeResponse)
    docs["responses"] |= {422: {"model": Invalid}, _GATEWAY_TIMEOUT: {"model": RunCodeResponse}}
    tags: list[str | Enum] = ["SandboxFusion"]

    @app.post("/run_code", tags=tags, summary="Run a program (SandboxFusion)", **docs)
    async def run_code(request: Request) -> Response:
        try:
            asked = RunCodeRequest.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"detail": _detail(error)}, status_code=422)
        try:
            return json_response(_response(await patience.run(_run_request(asked))))
        except Unavailable as error:
            # verl tries again after 504 only; after anything else the answer counts as wrong.
            return json_response(_sandbox_error(error), status=_GATEWAY_TIMEOUT)
        except Rejected as error:
            return json_response(_sandbox_error(error))

    @app.get("/v1/ping", tags=tags, summary="The process runs (SandboxFusion)")
    async def ping() -> str:
        return "pong"


def _run_request(asked: RunCodeRequest) -> RunRequest:
    """Raises Rejected: a language or a limit that cannot be had here."""
    if asked.language not in LANGUAGES:
        known = ", ".join(sorted(LANGUAGES))
        raise Rejected(f"language: {asked.language[:40]!r} is not one of {known}.")
    memory_bytes = memory_limit_bytes("memory_limit_MB", asked.memory_limit_MB, 2**20)
    return RunRequest(
        language=LANGUAGES[asked.language],
        code=asked.code,
        stdin=asked.stdin or "",
        files={
            name: from_base64(name, data) for name, data in asked.files.items() if data is not None
        },
        files_out=asked.fetch_files,
        limits=Limits(
            wall_s=at_most("run_timeout", asked.run_timeout, MAX.wall_s),
            cpu_s=MAX.cpu_s,
            memory_bytes=memory_bytes,
            output_bytes=MAX.output_bytes,
        ),
        compile_limits=CompileLimits(
            wall_s=at_most("compile_timeout", asked.compile_timeout, MAX.wall_s),
            cpu_s=MAX.cpu_s,
            output_bytes=MAX.output_bytes,
        ),
    )


def _response(result: RunResult) -> RunCodeResponse:
    ran = result.status != "compile_error"
    return RunCodeResponse(
        status="Success" if result.status == "ok" else "Failed",
        message="" if result.status in ("ok", "error") else result.status,
        compile_result=_command_result(result.compile) if result.compile else None,
        run_result=_command_result(result) if ran else None,
        files={name: to_base64(content) for name, content in result.files.items()},
    )


def _command_result(step: StepResult) -> CommandRunResult:
    """What a limit of ours ended counts as killed, except for time, which has a status."""
    timeout = step.status == "timeout"
    code = -int(signal.SIGKILL) if step.exit_code is None else step.exit_code
    return CommandRunResult(
        status="TimeLimitExceeded" if timeout else "Finished",
        execution_time=step.wall_s,
        return_code=None if timeout else code,
        stdout=step.stdout,
        stderr=step.stderr,
    )


def _sandbox_error(error: PlauditError) -> RunCodeResponse:
    return RunCodeResponse(status="SandboxError", message=str(error))


def _detail(error: ValidationError) -> list[dict[str, Any]]:
    """As FastAPI answers, less the input itself."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**item, "loc": ["body", *item["loc"]]} for item in found]
