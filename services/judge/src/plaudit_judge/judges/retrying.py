"""The one retry layer of a judge: until the request's time is up, with Retry-After."""

import time
from collections.abc import Awaitable, Callable

from plaudit.client import ClientOptions
from plaudit.client.retry import Attempts
from plaudit.errors import Conflict, NotFound, PlauditError, Unauthorized, Unavailable
from plaudit_judge import metrics
from plaudit_judge.judges.base import Reply

# The deadline ends the attempts; the number only bounds an endpoint that fails at once.
_POLICY = ClientOptions(max_attempts=1000, backoff_s=0.2, max_backoff_s=5.0)


async def ask_until(judge: str, timeout_s: float, attempt: Callable[[], Awaitable[Reply]]) -> Reply:
    """Raises Rejected: the question itself is refused; Unavailable: no answer by the deadline.

    A wrong key or model name is the operator's mistake, not the asker's: Unavailable, at once.
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
    except (Unauthorized, NotFound, Conflict) as error:
        raise Unavailable(
            f"judge {judge!r} cannot be used: {error.message}",
            fix=f"correct base_url, model or key of [judge.judges.{judge}].",
        ) from error
