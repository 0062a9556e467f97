"""The entropy of a distribution of which only the likeliest tokens are known."""

import math
from collections.abc import Iterable
from heapq import nlargest

NUM_LIKELIEST = 20
"""As many as vLLM gives unless it is started with `--max-logprobs`."""


def entropy_of(logprobs: Iterable[float]) -> float:
    """Nats, of the NUM_LIKELIEST and the rest as one symbol: at most the true entropy.

    What is missing is the rest's share times the entropy within it.
    """
    shares = [math.exp(logprob) for logprob in nlargest(NUM_LIKELIEST, logprobs)]
    shares.append(1.0 - sum(shares))
    return max(0.0, -sum(share * math.log(share) for share in shares if share > 0.0))
