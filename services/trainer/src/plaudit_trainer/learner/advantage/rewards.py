"""Totals in standard deviations from their running mean."""

import math

import torch

from plaudit.schemas.common import Contract

SMALLEST_STD = 1e-8


class RunningMoments(Contract):
    """Over every total of the run so far (Chan et al. 1979). A checkpoint keeps them."""

    count: int = 0
    mean: float = 0.0
    sum_of_squares: float = 0.0
    """Of distances from the mean."""

    def with_values(self, values: torch.Tensor) -> "RunningMoments":
        """NaN is missing."""
        known = values[~values.isnan()]
        if not len(known):
            return self
        mean = float(known.mean())
        apart = mean - self.mean
        count = self.count + len(known)
        squares = float((known - mean).square().sum())
        between = apart * apart * self.count * len(known) / count
        return RunningMoments(
            count=count,
            mean=self.mean + apart * len(known) / count,
            sum_of_squares=self.sum_of_squares + squares + between,
        )

    @property
    def std(self) -> float:
        return max(SMALLEST_STD, math.sqrt(self.sum_of_squares / max(1, self.count)))
