"""Whom a call of a judge is made for: costs and stored verdicts stand under it."""

from dataclasses import dataclass

from plaudit.schemas.common import Lane


@dataclass(frozen=True)
class Origin:
    verb: str
    lane: Lane = "train"
    run_id: str | None = None
    caller: str | None = None
    """The name of the API key; None for a plain key, or none."""
