"""Agreement of two, beyond what chance gives."""

from collections.abc import Sequence

import numpy as np

from plaudit.schemas.judge_statistics import Estimate
from plaudit_judge.statistics.bootstrap import Matrix, Vector, bootstrap, divide


def cohen_kappa(
    first: Sequence[int], second: Sequence[int], num_classes: int, seed: int
) -> Estimate | None:
    """(agreement - expected) / (1 - expected), of classes counted from 0.

    None when both only ever name the same class. Source: Cohen 1960.
    """
    both = [a * num_classes + b for a, b in zip(first, second, strict=True)]
    cells = np.eye(num_classes**2)[both]

    def kappa(weights: Matrix) -> Vector:
        table = (weights @ cells).reshape(-1, num_classes, num_classes)
        num = table.sum(axis=(1, 2))
        agreed = num * np.trace(table, axis1=1, axis2=2)
        expected = (table.sum(axis=1) * table.sum(axis=2)).sum(axis=1)
        return divide(agreed - expected, num**2 - expected, expected < num**2)

    return bootstrap(len(first), kappa, seed)
