"""What a request in Piston's format asks of us."""

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import (
    CompileLimits,
    FileContent,
    Language,
    Limits,
    RunRequest,
)
from plaudit_sandbox.dialects.content import from_base64, from_bytes
from plaudit_sandbox.dialects.limits import MAX, at_most, memory_limit_bytes
from plaudit_sandbox.dialects.piston_wire import ExecuteRequest, PistonFile


def run_request(asked: ExecuteRequest, language: Language) -> RunRequest:
    """Raises Rejected or ValidationError."""
    main = next((file for file in asked.files if is_text(file)), None)
    if main is None:
        raise Rejected("files must include at least one utf8 encoded file")
    stdin = asked.stdin or ""
    others = [(index, file) for index, file in enumerate(asked.files) if file is not main]
    return RunRequest(
        language=language,
        code=main.content,
        # Piston ends the input with a newline, too.
        stdin=stdin if stdin.endswith("\n") else f"{stdin}\n",
        args=asked.args or [],
        files={file.name or f"file{index}.code": content_of(file) for index, file in others},
        limits=run_limits(asked),
        compile_limits=compile_limits(asked),
    )


def run_limits(asked: ExecuteRequest) -> Limits:
    return Limits(
        wall_s=_seconds("run_timeout", asked.run_timeout, Limits().wall_s),
        cpu_s=_seconds("run_cpu_time", asked.run_cpu_time, MAX.cpu_s),
        memory_bytes=memory_limit_bytes("run_memory_limit", asked.run_memory_limit or 0),
        output_bytes=MAX.output_bytes,
    )


def compile_limits(asked: ExecuteRequest) -> CompileLimits:
    limit = asked.compile_memory_limit or 0
    return CompileLimits(
        wall_s=_seconds("compile_timeout", asked.compile_timeout, CompileLimits().wall_s),
        cpu_s=_seconds("compile_cpu_time", asked.compile_cpu_time, MAX.cpu_s),
        memory_bytes=memory_limit_bytes("compile_memory_limit", limit),
        output_bytes=MAX.output_bytes,
    )


def is_text(file: PistonFile) -> bool:
    return file.encoding not in ("base64", "hex")


def content_of(file: PistonFile) -> FileContent:
    name = file.name or ""
    if file.encoding == "base64":
        return from_base64(name, file.content)
    if file.encoding == "hex":
        return _from_hex(name, file.content)
    return file.content


def _from_hex(name: str, text: str) -> FileContent:
    try:
        return from_bytes(bytes.fromhex(text))
    except ValueError:
        raise Rejected(f"files: {name[:80]!r} is not encoded in hex.") from None


def _seconds(name: str, asked_ms: float | None, default_s: float) -> float:
    if not asked_ms:
        return default_s
    if asked_ms < 0:
        raise Rejected(f"{name} must be non-negative")
    return at_most(name, asked_ms, 1000 * MAX.wall_s) / 1000
