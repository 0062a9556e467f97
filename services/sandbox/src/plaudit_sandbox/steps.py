"""Steps of a call as jobs for the launcher, and the launcher's answers."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Contract
from plaudit.schemas.sandbox import Case, FileContent, Limits, RunRequest, StepResult
from plaudit_sandbox.languages import BUILD, Toolset
from plaudit_sandbox.toolchains import Toolchain

MAX_FILES_OUT_BYTES = 4 * 2**20
"""Of one run's `files_out`, together."""
MAX_BUILD_BYTES = 16 * 2**20
"""Of what a compiler makes."""
_MIB = 2**20


class StepAnswer(Contract):
    """What a monitor says of one step."""

    result: StepResult
    files: dict[str, FileContent]
    files_missing: dict[str, str]
    build: dict[str, FileContent]
    """What the compiler has made."""


def compile_job(
    request: RunRequest, toolset: Toolset, toolchain: Toolchain
) -> dict[str, Any] | None:
    """None when the language has no compiler."""
    if toolset.compile is None:
        return None
    # An empty file makes the directory: not every compiler does.
    files = {toolset.source: request.code, f"{BUILD}/.keep": "", **request.files}
    command = _command(toolset.compile, toolchain, request.compile_limits)
    return _job(toolset, files, request.compile_limits) | {
        "command": command,
        "env": _environment(command, toolset.compile_env),
        "may_fork": True,
        "limit_address_space": False,
        "build": BUILD,
        "max_files_out_bytes": MAX_BUILD_BYTES,
    }


def run_job(
    request: RunRequest,
    case: Case,
    toolset: Toolset,
    toolchain: Toolchain,
    build: Mapping[str, FileContent],
) -> dict[str, Any]:
    """The program on one input, with what the compiler has made of it."""
    files = {toolset.source: request.code, **request.files, **case.files, **build}
    command = toolset.run and _command(toolset.run, toolchain, request.limits)
    return _job(toolset, files, request.limits) | {
        "stdin": case.stdin,
        "args": case.args,
        "command": command,
        "env": _environment(command, toolset.run_env),
        "may_fork": toolset.forks,
        "limit_address_space": toolset.limit_address_space,
        "deep_stack": toolset.deep_stack,
        "runtime_memory_bytes": toolset.runtime_memory_bytes,
        "files_out": request.files_out,
    }


def version_job(request: RunRequest, toolset: Toolset, toolchain: Toolchain) -> dict[str, Any]:
    """The tool's own word on its version."""
    command = _command(toolset.version, toolchain, request.limits)
    job = compile_job(request, toolset, toolchain) or run_job(
        request, Case(), toolset, toolchain, {}
    )
    return job | {"command": command, "build": None}


def _job(toolset: Toolset, files: Mapping[str, FileContent], limits: Limits) -> dict[str, Any]:
    return {
        "source": toolset.source,
        "files": {name: _plain(content) for name, content in files.items()},
        "stdin": "",
        "args": [],
        "out_of_memory": toolset.out_of_memory,
        "deep_stack": False,
        "runtime_memory_bytes": 0,
        "limits": limits.model_dump(),
        "files_out": [],
        "max_files_out_bytes": MAX_FILES_OUT_BYTES,
        "build": None,
    }


def _command(template: Sequence[str], toolchain: Toolchain, limits: Limits) -> list[str]:
    values = {**toolchain.tools, "memory_mib": str(limits.memory_bytes // _MIB)}
    return [part.format(**values) for part in template]


def _environment(command: Sequence[str] | None, env: Mapping[str, str]) -> dict[str, str]:
    """Without /proc the loader cannot tell where the libraries are that lie beside a tool."""
    directory = os.path.dirname(command[0]) if command else ""
    if directory in ("", BUILD, "/bin", "/usr/bin"):
        return dict(env)
    return {"LD_ORIGIN_PATH": directory, **env}


def _plain(content: FileContent) -> str | dict[str, str]:
    return content if isinstance(content, str) else {"base64": content.base64}


def step_answer(message: bytes) -> StepAnswer:
    """
    Raises:
        Rejected: the request asks for what no run here can have.
        Unavailable: the sandbox itself failed.
    """
    if not message:
        raise Unavailable("The sandbox's monitor of this run died.")
    try:
        return StepAnswer.model_validate_json(message)
    except ValidationError:
        found = json.loads(message)
    if "refused" in found:
        raise Rejected(f"{found['refused']}.")
    raise Unavailable(f"The sandbox failed: {found.get('fault', 'its answer is no result')}.")
