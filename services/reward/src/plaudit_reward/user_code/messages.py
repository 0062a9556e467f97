"""What parent and child say to each other, one JSON object a line.

Parent: a `Program`, then one `Question` after another, and an `Answer` to each `Call`.
Child: `Loaded` once, then for each question any number of `Call`s and one `Reply`.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.reward import Missing, PerToken, Score
from plaudit_reward.wire import TokenValues

MAX_REASON_CHARS = 500


class Program(Contract):
    """Where a reward comes from: the source of a file, or an entry point `module:name`."""

    place: str
    source: str | None = None
    """Of a file, whose path `place` is."""


class Loaded(Contract):
    kind: Literal["loaded"] = "loaded"
    error: str | None = None
    """The traceback of what failed."""


class Question(Contract):
    function: str
    params: dict[str, Any]
    group: RewardGroup


class Call(Contract):
    """Something that only the worker has: another reward, the verifier, the sandbox."""

    kind: Literal["call"] = "call"
    method: Literal["score", "verify", "run"]
    arguments: dict[str, Any]


class MissingValue(Contract):
    reason: str
    retryable: bool = False


WireScore = float | TokenValues | MissingValue


class Answer(Contract):
    scores: list[WireScore] | None = None
    result: dict[str, Any] | None = None
    """Of a run in the sandbox."""
    error: str | None = None


class Reply(Contract):
    kind: Literal["reply"] = "reply"
    scores: list[WireScore] = []
    error: str | None = None
    """The traceback of what failed."""
    output: str = ""
    """The end of what was printed."""


def line_of(message: Contract) -> bytes:
    return message.model_dump_json().encode() + b"\n"


def to_wire(scores: Sequence[Score]) -> list[WireScore]:
    return [_to_wire(score) for score in scores]


def from_wire(scores: Sequence[WireScore]) -> list[Score]:
    return [_from_wire(score) for score in scores]


def _to_wire(score: Score) -> WireScore:
    match score:
        case Missing(reason=reason, retryable=retryable):
            return MissingValue(reason=reason, retryable=retryable)
        case PerToken(tokens=tokens) if all(map(math.isfinite, (*tokens, score.total()))):
            return TokenValues(tokens=list(tokens), value=score.total())
        case float() if math.isfinite(score):
            return score
    # JSON has no such numbers.
    return MissingValue(reason=f"the reward gave {score}"[:MAX_REASON_CHARS])


def _from_wire(score: WireScore) -> Score:
    match score:
        case MissingValue(reason=reason, retryable=retryable):
            return Missing(reason, retryable=retryable)
        case TokenValues(tokens=tokens, value=value):
            return PerToken(tuple(tokens), value)
    return score
