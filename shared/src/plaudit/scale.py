"""What `normalize` does: rewards in standard deviations from their mean."""

from dataclasses import dataclass

MIN_STD = 1e-8


@dataclass(frozen=True)
class Scale:
    mean: float
    std: float

    def __call__(self, reward: float) -> float:
        return (reward - self.mean) / max(self.std, MIN_STD)
