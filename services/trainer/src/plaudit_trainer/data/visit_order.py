"""The order in which a run visits its rows."""

import random
from functools import lru_cache

from plaudit.schemas.recipe import RunRecipe
from plaudit_trainer.data.parts import chunks_of


class VisitOrder:
    """A permutation of the rows for every epoch, the same for the same seed.

    With several chunks an epoch visits them in their order, each in one of its own.
    """

    def __init__(self, num_rows: int, seed: int, num_chunks: int = 1) -> None:
        self._chunks = chunks_of(num_rows, num_chunks)
        self._seed = seed
        self._permutation = lru_cache(maxsize=4)(self._shuffle)

    def row_index(self, epoch: int, position: int) -> int:
        return self._permutation(epoch)[position]

    def _shuffle(self, epoch: int) -> list[int]:
        rng = random.Random(f"{self._seed}/{epoch}")
        order: list[int] = []
        for chunk in self._chunks:
            part = list(chunk)
            rng.shuffle(part)
            order += part
        return order


def visit_order(recipe: RunRecipe, num_rows: int) -> VisitOrder:
    """Of the rows that `load_rows` gives for training; a chunk alone is one."""
    is_one = recipe.data.chunk is not None
    return VisitOrder(num_rows, recipe.seed, 1 if is_one else recipe.data.chunks)
