"""How well rewards separate good answers from bad ones."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def separation(rewards: Sequence[float], labels: Sequence[bool]) -> list[float]:
    """For each answer, the share of those of the other label that it is on the right side of.

    Equal rewards count a half. The mean over the answers of either label is the area under the
    ROC curve.
    """
    by_label = {
        label: sorted(r for r, other in zip(rewards, labels, strict=True) if other == label)
        for label in (True, False)
    }
    return [
        _share_below(reward, by_label[False]) if label else 1 - _share_below(reward, by_label[True])
        for reward, label in zip(rewards, labels, strict=True)
    ]


def _share_below(reward: float, others: list[float]) -> float:
    return (bisect_left(others, reward) + bisect_right(others, reward)) / (2 * len(others))
