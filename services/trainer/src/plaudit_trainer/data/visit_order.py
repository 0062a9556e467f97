"""The order in which a run visits its rows."""

import random
from functools import lru_cache


class VisitOrder:
    """A permutation of the rows for every epoch, the same for the same seed."""

    def __init__(self, num_rows: int, seed: int) -> None:
        self._num_rows = num_rows
        self._seed = seed
        self._permutation = lru_cache(maxsize=4)(self._shuffle)

    def row_index(self, epoch: int, position: int) -> int:
        return self._permutation(epoch)[position]

    def _shuffle(self, epoch: int) -> list[int]:
        order = list(range(self._num_rows))
        random.Random(f"{self._seed}/{epoch}").shuffle(order)
        return order
