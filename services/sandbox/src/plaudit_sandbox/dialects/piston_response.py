"""How a run went, in Piston's format."""

import signal

from plaudit.schemas.sandbox import RunResult, StepResult
from plaudit_sandbox.dialects.limits import MAX
from plaudit_sandbox.dialects.piston_wire import ExecuteResponse, Runtime, Stage, StageStatus


def response_of(result: RunResult, runtime: Runtime) -> ExecuteResponse:
    compiled = _stage(result.compile) if result.compile else None
    failed = result.status == "compile_error" and compiled is not None
    return ExecuteResponse(
        language=runtime.language,
        version=runtime.version,
        run=compiled if compiled is not None and failed else _stage(result),
        compile=compiled,
    )


def _stage(step: StepResult) -> Stage:
    code = step.exit_code if step.exit_code is not None and step.exit_code >= 0 else None
    status, message = _status(step)
    return Stage(
        stdout=step.stdout,
        stderr=step.stderr,
        output=step.stdout + step.stderr,
        code=None if status in ("TO", "OL", "EL") else code,
        signal=_signal(step) if code is None else None,
        message=message,
        status=status,
        cpu_time=1000 * step.cpu_s,
        wall_time=1000 * step.wall_s,
        memory=step.peak_memory_bytes,
    )


def _status(step: StepResult) -> tuple[StageStatus | None, str | None]:
    """Piston's two letters and the words beside them."""
    if step.status == "ok":
        return None, None
    if step.status == "timeout":
        return "TO", "Time limit exceeded"
    if step.status == "output":
        full = len(step.stdout.encode()) >= MAX.output_bytes
        return ("OL", "stdout length exceeded") if full else ("EL", "stderr length exceeded")
    if step.status == "memory" and step.exit_code is None:
        return "SG", "Memory limit exceeded"
    if step.exit_code is not None and step.exit_code > 0:
        return "RE", f"Exited with error status {step.exit_code}"
    return "SG", f"Caught fatal signal {-(step.exit_code or -signal.SIGKILL)}"


def _signal(step: StepResult) -> str:
    """What ended it. A limit of ours ends with SIGKILL."""
    if step.exit_code is None or step.status == "timeout":
        return signal.SIGKILL.name
    try:
        return signal.Signals(-step.exit_code).name
    except ValueError:
        return f"SIG{-step.exit_code}"
