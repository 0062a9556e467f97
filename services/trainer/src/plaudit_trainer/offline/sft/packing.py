"""Several conversations in one row of tokens, by best fit, the longest first.

They do not see each other: TRL's collator starts their positions at 0, from which transformers
makes a block mask (SDPA, eager) or kernels the sequence lengths (flash attention).
"""

import bisect

from plaudit_trainer.offline.method import Row


def pack(rows: list[Row], max_tokens: int) -> list[Row]:
    """Each at most `max_tokens` long; `seq_lengths` says where conversations end."""
    bins: list[list[Row]] = []
    room: list[tuple[int, int]] = []  # (free tokens, bin), sorted
    for row in sorted(rows, key=lambda one: -len(one["input_ids"])):
        length = len(row["input_ids"])
        place = bisect.bisect_left(room, (length, -1))
        free, index = room.pop(place) if place < len(room) else (max_tokens, len(bins))
        if index == len(bins):
            bins.append([])
        bins[index].append(row)
        bisect.insort(room, (free - length, index))
    return [_joined(one) for one in bins]


def _joined(rows: list[Row]) -> Row:
    return {
        "input_ids": [token for row in rows for token in row["input_ids"]],
        "labels": [label for row in rows for label in row["labels"]],
        "seq_lengths": [len(row["input_ids"]) for row in rows],
    }
