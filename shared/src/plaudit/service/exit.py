"""The top of a process: errors that people can act on become two lines and exit code 2."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from plaudit.errors import PlauditError
from plaudit.telemetry.redact import escape_control, redact_text

EXIT_ERROR = 2


@contextmanager
def guard() -> Iterator[None]:
    """`with guard(): app()` in `main()`; PLAUDIT_DEBUG=1 shows the traceback instead.

    Raises:
        SystemExit: code 2 after `error: ...` and `fix: ...` on standard error.
    """
    try:
        yield
    except PlauditError as error:
        if os.environ.get("PLAUDIT_DEBUG") == "1":
            raise
        sys.stderr.write(error_text(error))
        raise SystemExit(EXIT_ERROR) from None


def error_text(error: PlauditError) -> str:
    lines = [f"error: {error.message}"]
    if error.fix:
        lines.append(f"fix: {error.fix}")
    return escape_control(redact_text("\n".join(lines))) + "\n"
