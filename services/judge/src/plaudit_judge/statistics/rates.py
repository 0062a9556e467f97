"""Shares, and how sure they are."""

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

from plaudit.schemas.judge_statistics import Estimate

Z_95 = NormalDist().inv_cdf(0.975)


def rate(points: float, out_of: int, num_items: int) -> Estimate | None:
    """points / out_of with Wilson's interval (1927) for `num_items` draws; None without any.

    What one item adds may lie between 0 and 1 (a tie, several votes): its spread is at most that
    of a yes or no, so that the interval is wide enough, and the same for votes that go together.
    """
    if not out_of:
        return None
    share, spread = points / out_of, Z_95**2 / num_items
    middle = share + spread / 2.0
    half = math.sqrt(spread * (share * (1.0 - share) + spread / 4.0))
    low, high = ((middle + side * half) / (1.0 + spread) for side in (-1.0, 1.0))
    return Estimate(
        value=share, low=min(max(low, 0.0), share), high=max(min(high, 1.0), share),
        num_items=num_items,
    )  # fmt: skip


def share(flags: Sequence[bool]) -> Estimate | None:
    """Of the items, those whose flag is set."""
    return rate(sum(flags), len(flags), len(flags))


def share_of_votes(by_item: Iterable[Sequence[bool]]) -> Estimate | None:
    """Of all flags of all items, those that are set; as sure as the number of items with any."""
    some = [flags for flags in by_item if flags]
    return rate(sum(map(sum, some)), sum(map(len, some)), len(some))
