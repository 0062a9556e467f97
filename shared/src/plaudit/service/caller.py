"""Who calls: the name of the key that a request came with, never the key."""

from fastapi import Request


def caller_of(request: Request) -> str | None:
    """The named key's name; None for a plain key, and where a service has no keys."""
    name: str | None = getattr(request.state, "caller", None)
    return name
