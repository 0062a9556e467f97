"""n-grams of long sequences, in time and memory that do not grow with n."""

from collections.abc import Hashable, Sequence


def ngram_ids(items: Sequence[Hashable], size: int) -> Sequence[Hashable] | None:
    """Entry i stands for items[i:i + size]: equal n-grams have equal entries, others do not.

    An n-gram is the pair of two shorter ones that overlap or touch, and each pair is replaced by
    a number. None when all n-grams are found to be different on the way.
    """
    ids: Sequence[Hashable] = items
    covered = 1
    while covered < size:
        step = min(covered, size - covered)
        numbers: dict[tuple[Hashable, Hashable], int] = {}
        pairs = zip(ids, ids[step:], strict=False)
        ids = [numbers.setdefault(pair, len(numbers)) for pair in pairs]
        covered += step
        if len(numbers) == len(ids):  # then longer ones differ, too
            return None
    return ids
