"""Texts of many lengths as one tensor. B texts, T tokens of the longest."""

from collections.abc import Sequence
from typing import NamedTuple

import torch


class Padded(NamedTuple):
    ids_BT: torch.Tensor
    mask_BT: torch.Tensor
    lengths: list[int]


def padded(sequences: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> Padded:
    """On the right, whatever the tokenizer prefers, so that positions count from the first token.

    Causal attention does not look to the right; other attention heeds the mask.
    """
    lengths = [len(ids) for ids in sequences]
    ids_BT = torch.full((len(sequences), max(lengths)), pad_id, dtype=torch.long)
    for row, ids in enumerate(sequences):
        ids_BT[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
    columns_T = torch.arange(max(lengths))
    mask_BT = (columns_T < torch.tensor(lengths).unsqueeze(1)).long()
    return Padded(ids_BT.to(device), mask_BT.to(device), lengths)
