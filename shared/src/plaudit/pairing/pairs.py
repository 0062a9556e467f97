"""Which answers of a tournament make a pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Preference

Skipped = Literal["no_verdict", "tie", "below_margin"]


@dataclass(frozen=True)
class Ranked:
    """Answers to one prompt with their ratings; null without a verdict."""

    row_id: str
    prompt: list[Message]
    responses: Sequence[str]
    ratings: Sequence[float | None]


def pairs_of(ranked: Ranked, above: float | None = None) -> list[Preference] | Skipped:
    """The best against the worst, with the difference of their ratings as the margin.

    With `above`: every two whose ratings differ by more. Else why there is none.
    """
    known = [(rating, i) for i, rating in enumerate(ranked.ratings) if rating is not None]
    if len(known) < 2:
        return "no_verdict"
    known.sort(key=lambda one: (-one[0], one[1]))
    (best, first), (worst, last) = known[0], known[-1]
    if best == worst:
        return "tie"
    if above is None:
        return [_pair(ranked, first, last, best - worst, ranked.row_id)]
    pairs = [
        _pair(ranked, i, j, better - worse, f"{ranked.row_id}/{i}-{j}")
        for (better, i), (worse, j) in combinations(known, 2)
        if better - worse > above
    ]
    return pairs or "below_margin"


def _pair(ranked: Ranked, chosen: int, rejected: int, margin: float, pair_id: str) -> Preference:
    return Preference(
        id=pair_id,
        prompt=ranked.prompt,
        chosen=ranked.responses[chosen],
        rejected=ranked.responses[rejected],
        margin=margin,
    )
