"""The one retry layer of a judge: until the request's time is up, with Retry-After."""

import time
from collections.abc import Awaitable, Callable

from plaudit.client import ClientOptions
from plaudit.client.retry import Attempts
from plaudit.errors import (
    BudgetExceeded,
    Conflict,
    Forbidden,
    NotFound,
    PlauditError,
    Unauthorized,
    Unavailable,
)
from plaudit_judge import metrics
from plaudit_judge.judges.base import Reply

_OPERATORS = (Unauthorized, Forbidden, BudgetExceeded, NotFound, Conflict)
# The deadline ends the attempts; the number only bounds an endpoint that fails at once.
_POLICY = ClientOptions(max_attempts=1000, backoff_s=0.2, max_backoff_s=5.0)


async def ask_until(judge: str, timeout_s: float, attempt: Callable[[], Awaitable[Reply]]) -> Reply:
    """Raises Rejected: the question itself is refused; Unavailable: no answer by the deadline.

    A wrong key or model name, or an account at the endpoint without money, is for the operator to
    mend, not for the asker: Unavailable, at once.
    """

    async def counted() -> Reply:
        started_s = time.monotonic()
        try:
            reply = await attempt()
        except PlauditError as error:
            metrics.count_failure(judge, error)
            raise
        metrics.count_reply(judge, reply, time.monotonic() - started_s)
        return reply

    try:
        return await Attempts(_POLICY, timeout_s, f"judge {judge!r}").run(counted)
    except _OPERATORS as error:
        raise Unavailable(
            f"judge {judge!r} cannot be used: {error.message}",
            fix=f"correct base_url, model or key of [judge.judges.{judge}], or its account there.",
        ) from error
