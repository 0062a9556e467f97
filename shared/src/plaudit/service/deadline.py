"""`X-Deadline-S`: how many seconds the caller still waits for the answer."""

import math

from fastapi import Request

from plaudit.errors import Rejected

DEADLINE_HEADER = "x-deadline-s"


def caller_deadline_s(request: Request, default_s: float, max_s: float) -> float:
    """The header's seconds, at most `max_s`; `default_s` without it.

    Raises:
        Rejected: it is no positive number.
    """
    text = request.headers.get(DEADLINE_HEADER)
    if text is None:
        return default_s
    try:
        deadline_s = float(text)
    except ValueError:
        deadline_s = math.nan
    if not 0.0 < deadline_s < math.inf:
        raise Rejected(f"X-Deadline-S: {text[:40]!r} is no number of seconds above 0.")
    return min(deadline_s, max_s)
