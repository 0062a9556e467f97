"""How often: a bucket of tokens that fills evenly."""


class TokenBucket:
    """Holds at most `per_minute` tokens, and gains as many in a minute; full at first."""

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._per_s = per_minute / 60.0
        self._tokens = self._capacity
        self._filled_s = 0.0

    def take(self, now_s: float) -> float:
        """0 with a token taken, else the seconds until there will be one. `now_s` never falls."""
        gained = (now_s - self._filled_s) * self._per_s
        self._tokens = min(self._capacity, self._tokens + gained)
        self._filled_s = now_s
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self._per_s
        self._tokens -= 1.0
        return 0.0
