"""One call of a judge and what came of it, as the ledger takes it down."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from plaudit.schemas.common import Message
from plaudit.schemas.judge import RubricStamp
from plaudit_judge.judges.base import Reply
from plaudit_judge.origin import Origin
from plaudit_judge.parse import Seat

ShownWinner = Literal["first", "second", "tie"]
_WINNERS: dict[Seat, ShownWinner] = {"A": "first", "B": "second", "tie": "tie"}


@dataclass(frozen=True)
class Call:
    """See StoredVerdict."""

    origin: Origin
    judge: str
    rubric: RubricStamp | None
    """What there was to judge by; not every judge reads it."""
    prompt: Sequence[Message]
    answers: Sequence[str]
    """In the order shown."""
    reference: str | None
    seed: int | None
    reply: Reply
    latency_s: float
    winner: ShownWinner | None = None
    scores: list[float | None] | None = None
    calls: int = 1
    cached: bool = False
    member_of: str | None = None
    judged_at: float = field(default_factory=time.time)


def winner_of(seat: Seat | None) -> ShownWinner | None:
    return _WINNERS[seat] if seat is not None else None
