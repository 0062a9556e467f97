"""Cutting texts of many lengths into batches with little padding."""

from collections.abc import Sequence

MAX_BATCH_TEXTS = 256
MAX_PADDING_SHARE = 0.1
"""Of a batch's tokens. Padding costs what text costs."""
FREE_TOKENS = 1024
"""A batch of no more than these may be padded at will: it costs little more than a call does."""


def cut_into_batches(lengths: Sequence[int], max_batch_tokens: int) -> list[list[int]]:
    """Indices of each batch, short texts first.

    A batch takes `num_texts * longest` tokens, padding included, and that is at most
    `max_batch_tokens`; a text that is longer alone makes a batch of its own.
    """
    batches: list[list[int]] = []
    num_real = 0
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        length = max(1, lengths[index])
        # Sorted, so that this one is the longest of the batch it joins.
        if batches and _fits(len(batches[-1]) + 1, length, num_real + length, max_batch_tokens):
            batches[-1].append(index)
            num_real += length
        else:
            batches.append([index])
            num_real = length
    return batches


def _fits(num_texts: int, longest: int, num_real: int, max_batch_tokens: int) -> bool:
    num_tokens = num_texts * longest
    if num_texts > MAX_BATCH_TEXTS or num_tokens > max_batch_tokens:
        return False
    return num_tokens <= FREE_TOKENS or num_real >= (1 - MAX_PADDING_SHARE) * num_tokens
