"""Whom a call of a judge is made for: costs and stored verdicts stand under it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from plaudit.schemas.common import Lane


@dataclass(frozen=True)
class Origin:
    verb: str
    lane: Lane = "train"
    run_id: str | None = None
    caller: str | None = None
    """The name of the API key; None for a plain key, or none."""


_UNKNOWN = Origin("unknown")
_CURRENT: ContextVar[Origin] = ContextVar("plaudit_judge_origin")


def current_origin() -> Origin:
    """Whom the call that this code works on is for."""
    return _CURRENT.get(_UNKNOWN)


@contextmanager
def use_origin(origin: Origin) -> Iterator[None]:
    token = _CURRENT.set(origin)
    try:
        yield
    finally:
        _CURRENT.reset(token)
