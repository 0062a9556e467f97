"""What an endpoint says of its tokens: hostile, like all that it says."""

from plaudit.errors import Unavailable
from plaudit_judge.judges.base import Reply

MAX_TOKENS = 10_000_000
"""Of one call, read or written; no model takes so many."""


def check_usage(judge: str, reply: Reply) -> None:
    """Raises Unavailable: a reply that lies about its tokens is garbage."""
    said = [
        reply.prompt_tokens,
        reply.completion_tokens,
        reply.cached_tokens,
        reply.cache_write_tokens,
    ]
    if not all(0 <= number <= MAX_TOKENS for number in said):
        raise Unavailable(
            f"the endpoint of judge {judge!r} answered with a usage that is not between 0 and "
            f"{MAX_TOKENS} tokens."
        )
