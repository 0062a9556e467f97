"""The share of its comparisons that an item won."""

from collections.abc import Sequence

from plaudit_judge.ratings.game import Game


def win_rates(num_items: int, games: Sequence[Game]) -> list[float]:
    """Wins / comparisons, ties counting one half; 0.5 where there is no comparison."""
    points, played = [0.0] * num_items, [0] * num_items
    for a, b, score_a in games:
        points[a] += score_a
        points[b] += 1.0 - score_a
        played[a] += 1
        played[b] += 1
    return [p / n if n else 0.5 for p, n in zip(points, played, strict=True)]
