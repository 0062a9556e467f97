"""Pairs of answers as tensors: the chosen ones, then the rejected ones.

Tensor shapes: P pairs, B = 2P texts, T tokens of the longest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from plaudit_trainer.offline.method import Row


class Side(NamedTuple):
    """One answer of a pair, with its prompt."""

    ids: list[int]
    num_prompt_tokens: int


Ends = Callable[[Sequence[Side]], list[list[int]]]
"""The positions of each text whose rewards count; at least one."""


def last_tokens(sides: Sequence[Side]) -> list[list[int]]:
    """The whole text has one reward, at its EOS."""
    return [[len(side.ids) - 1] for side in sides]


@dataclass(frozen=True)
class PairCollator:
    """Padded on the right."""

    pad_token_id: int
    ends: Ends

    def __call__(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        sides = [_side(row, "chosen") for row in rows] + [_side(row, "rejected") for row in rows]
        shape = (len(sides), max(len(side.ids) for side in sides))
        ids_BT = torch.full(shape, self.pad_token_id)
        mask_BT = torch.zeros(shape, dtype=torch.long)
        ends_BT = torch.zeros(shape, dtype=torch.bool)
        for i, (side, ends) in enumerate(zip(sides, self.ends(sides), strict=True)):
            ids_BT[i, : len(side.ids)] = torch.tensor(side.ids)
            mask_BT[i, : len(side.ids)] = 1
            ends_BT[i, ends] = True
        margin_P = torch.tensor([row["margin"] for row in rows], dtype=torch.float32)
        return {
            "input_ids": ids_BT, "attention_mask": mask_BT, "ends": ends_BT, "margin": margin_P,
        }  # fmt: skip


def _side(row: Row, name: str) -> Side:
    return Side(row[f"{name}_ids"], row["num_prompt_tokens"])
