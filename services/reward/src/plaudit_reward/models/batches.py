"""Cutting texts of many lengths into batches with little padding."""

from collections.abc import Sequence

MAX_BATCH_TEXTS = 256


def cut_into_batches(lengths: Sequence[int], max_batch_tokens: int) -> list[list[int]]:
    """Indices of each batch, short texts first.

    A batch takes `num_texts * longest` tokens, padding included, and that is at most
    `max_batch_tokens`; a text that is longer alone makes a batch of its own.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        # Sorted, so that this one is the longest of the batch it joins.
        grown = (len(batches[-1]) + 1) * max(1, lengths[index]) if batches else 0
        if batches and grown <= max_batch_tokens and len(batches[-1]) < MAX_BATCH_TEXTS:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
