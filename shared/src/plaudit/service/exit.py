"""The top of a process: errors that people can act on become two lines and an exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from plaudit.errors import ConfigError, PlauditError, Stalled
from plaudit.telemetry.redact import escape_control, redact_text

EXIT_FAILED = 1
"""It may go better next time: a supervisor starts the process again."""
EXIT_ERROR = 2
"""A setting is wrong: starting again without changing it is of no use."""
EXIT_STALLED = 3
EXIT_INTERRUPTED = 130


@contextmanager
def guard() -> Iterator[None]:
    """`with guard(): app()` in `main()`; PLAUDIT_DEBUG=1 shows the traceback instead.

    Raises:
        SystemExit: after `error: ...` and `fix: ...` on standard error, with code 2 when a
            setting is wrong, 3 when nothing progressed for too long, 1 otherwise.
    """
    try:
        yield
    except PlauditError as error:
        if os.environ.get("PLAUDIT_DEBUG") == "1":
            raise
        sys.stderr.write(error_text(error))
        raise SystemExit(exit_code(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


def exit_code(error: PlauditError) -> int:
    if isinstance(error, ConfigError):
        return EXIT_ERROR
    return EXIT_STALLED if isinstance(error, Stalled) else EXIT_FAILED


def error_text(error: PlauditError) -> str:
    lines = [f"error: {error.message}"]
    if error.fix:
        lines.append(f"fix: {error.fix}")
    return escape_control(redact_text("\n".join(lines))) + "\n"
