"""What ratings are made of."""

from collections.abc import Iterable
from typing import NamedTuple


class Game(NamedTuple):
    """A parsed comparison: `score_a` is 1 when item a won, 0.5 for a tie, 0 when b won."""

    a: int
    b: int
    score_a: float


def rated_items(games: Iterable[Game]) -> set[int]:
    """The items that were compared at all; nothing is known of the others."""
    return {item for game in games for item in (game.a, game.b)}
