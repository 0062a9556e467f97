"""Which pairs of a group are compared."""

import math
from itertools import combinations, pairwise

from plaudit_judge.chance import draw

Pair = tuple[int, int]


def all_pairs(num_items: int, ratio: float, seed: int) -> list[Pair]:
    """ceil(ratio * C(n, 2)) pairs in lexicographic order, with every item in at least one.

    When the ratio is too small for that, there are as many pairs as covering all items needs,
    ceil(n / 2). Which pairs they are is drawn by `seed`. Source: algorithms.md 2.5 [DESIGN].
    """
    pairs = list(combinations(range(num_items), 2))
    # The epsilon keeps 0.07 * 300 = 21.000000000000004 from becoming 22.
    wanted = math.ceil(ratio * len(pairs) - 1e-9)
    if wanted >= len(pairs):
        return pairs
    chosen = _covering(num_items, seed)
    taken = set(chosen)
    others = sorted((p for p in pairs if p not in taken), key=lambda p: draw(seed, "pair", *p))
    return sorted(chosen + others[: max(0, wanted - len(chosen))])


def _covering(num_items: int, seed: int) -> list[Pair]:
    """ceil(n / 2) pairs that contain every item: neighbours in a drawn order."""
    order = sorted(range(num_items), key=lambda item: draw(seed, "item", item))
    neighbours = list(pairwise(order))[::2]
    if num_items % 2:
        neighbours.append((order[-1], order[0]))
    return [(min(pair), max(pair)) for pair in neighbours]
