"""What a schedule is: it hands out matches round by round, and may look at the results."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from plaudit_judge.ratings.game import Game

Pair = tuple[int, int]


class Match(NamedTuple):
    """Two items to compare. `swapped`: show b first (or not); None: as the request says."""

    a: int
    b: int
    swapped: bool | None = None


class Schedule(Protocol):
    def next_round(self, games: Sequence[Game]) -> list[Match]:
        """`games`: all results so far that could be parsed. No match: the tournament is over."""
        ...


class OneRound:
    """A schedule that looks at no result: all of it at once."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._matches = [Match(a, b) for a, b in pairs]

    def next_round(self, games: Sequence[Game]) -> list[Match]:
        matches, self._matches = self._matches, []
        return matches
