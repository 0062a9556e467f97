"""How long to wait before a process is started again."""

from dataclasses import dataclass


@dataclass
class Backoff:
    """Doubles from `first_s` to `max_s`; a life of `healthy_s` or more starts it anew."""

    first_s: float = 1.0
    max_s: float = 15.0
    healthy_s: float = 30.0
    num_failures: int = 0
    """Failures in a row, none of which followed a healthy life."""

    def after_life_of(self, lived_s: float) -> float:
        """Seconds to wait before the next start."""
        self.num_failures = 1 if lived_s >= self.healthy_s else self.num_failures + 1
        return min(self.max_s, self.first_s * 2.0 ** (self.num_failures - 1))
