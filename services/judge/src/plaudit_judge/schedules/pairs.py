"""Pairs of a group that need no results to be chosen."""

import math
from itertools import combinations, pairwise

from plaudit_judge.chance import draw
from plaudit_judge.schedules.schedule import Pair


def all_pairs(num_items: int) -> list[Pair]:
    """C(n, 2) pairs in lexicographic order."""
    return list(combinations(range(num_items), 2))


def sample_pairs(num_items: int, ratio: float, seed: int) -> list[Pair]:
    """ceil(ratio * C(n, 2)) pairs in lexicographic order, with every item in at least one.

    When the ratio is too small for that, there are as many pairs as covering all items needs,
    ceil(n / 2). Which pairs they are is drawn by `seed`. Source: algorithms.md 2.5 [DESIGN].
    """
    pairs = all_pairs(num_items)
    # The epsilon keeps 0.07 * 300 = 21.000000000000004 from becoming 22.
    wanted = math.ceil(ratio * len(pairs) - 1e-9)
    if wanted >= len(pairs):
        return pairs
    chosen = covering_pairs(num_items, seed)
    taken = set(chosen)
    others = sorted((p for p in pairs if p not in taken), key=lambda p: draw(seed, "pair", *p))
    return sorted(chosen + others[: max(0, wanted - len(chosen))])


def covering_pairs(num_items: int, seed: int) -> list[Pair]:
    """ceil(n / 2) pairs that contain every item: neighbours in a drawn order."""
    order = _drawn_order(num_items, seed)
    neighbours = list(pairwise(order))[::2]
    if num_items % 2 and num_items > 1:
        neighbours.append((order[-1], order[0]))
    return [_ordered(*pair) for pair in neighbours]


def ring_pairs(num_items: int, seed: int) -> list[Pair]:
    """n pairs in lexicographic order: neighbours on a drawn ring, so every item is in two."""
    order = _drawn_order(num_items, seed)
    closing = [(order[-1], order[0])] if num_items > 2 else []
    return sorted(_ordered(*pair) for pair in [*pairwise(order), *closing])


def anchor_pairs(num_items: int, anchor: int) -> list[Pair]:
    """Every other item against `anchor`."""
    return [(item, anchor) for item in range(num_items) if item != anchor]


def _drawn_order(num_items: int, seed: int) -> list[int]:
    return sorted(range(num_items), key=lambda item: draw(seed, "item", item))


def _ordered(a: int, b: int) -> Pair:
    return min(a, b), max(a, b)
