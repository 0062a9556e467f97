"""From D, the probability that an action is the expert's, to the reward."""

import math
from typing import Literal

Form = Literal["prob", "neglog1m", "airl"]
MIN_D = 1e-6
"""D is kept so far from 0 and 1."""


def reward_of(probability: float, form: Form) -> float:
    d = min(max(probability, MIN_D), 1.0 - MIN_D)
    if form == "prob":
        return d
    if form == "neglog1m":
        return -math.log1p(-d)
    return math.log(d) - math.log1p(-d)
