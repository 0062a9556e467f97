"""One list of rows from several sources, the same for the same seed.

The fraction form is open-r1's dataset_mixture: of each source the first int(len * weight) rows of
its own shuffle, all of them shuffled together.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeVar

T = TypeVar("T")
Mixing = Literal["fraction", "probability"]


def mixed(
    parts: Sequence[list[T]], weights: Sequence[float], mixing: Mixing, seed: int
) -> list[tuple[int, T]]:
    """Rows with the index of their source, each at most once."""
    own = [shuffled(part, f"{seed}/source/{i}") for i, part in enumerate(parts)]
    if mixing == "fraction":
        sizes = [int(len(part) * weight) for part, weight in zip(own, weights, strict=True)]
        order = [source for source, size in enumerate(sizes) for _ in range(size)]
        order = shuffled(order, f"{seed}/mixture")
    else:
        order = _drawn([len(part) for part in own], weights, f"{seed}/mixture")
    rows = [iter(part) for part in own]
    return [(source, next(rows[source])) for source in order]


def shuffled(rows: Sequence[T], seed: str) -> list[T]:
    order = list(rows)
    random.Random(seed).shuffle(order)
    return order


def _drawn(sizes: Sequence[int], weights: Sequence[float], seed: str) -> list[int]:
    """Sources by their probability, until the one that is drawn has no row left."""
    rng, taken = random.Random(seed), Counter[int]()
    order: list[int] = []
    while True:
        [source] = rng.choices(range(len(sizes)), weights)
        if taken[source] == sizes[source]:
            return order
        taken[source] += 1
        order.append(source)
