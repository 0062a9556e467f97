"""Forward passes over sequences of like length, under a budget of tokens.

Tensor shapes: B completions, P prompt columns (padded left), C completion columns (padded right),
T columns of a pass (padded right), N scored tokens of a pass.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

TOKENS_PER_PASS = {"cpu": 2048, "cuda": 16384}
"""Where `learner.max_tokens_per_pass` is absent. Larger passes gain nothing on the device."""
MEAN_OF_ROWS = frozenset({"grpo", "sapo", "dr_grpo", "luspo", "sequence"})
MEAN_OF_TOKENS = frozenset({"bnpo"})
"""What the sum of each loss is divided by; of the others, by the tokens of the whole step."""


class Layout(NamedTuple):
    """Prompt and completion of each row without a gap. No real token can see the padding behind
    it, so causal attention needs no mask. `targets_N` are the tokens after `scored_BT`."""

    ids_BT: torch.Tensor
    mask_BT: torch.Tensor
    scored_BT: torch.Tensor
    targets_N: torch.Tensor


def plan_passes(lengths_B: torch.Tensor, max_tokens: int, at_least: int = 1) -> list[torch.Tensor]:
    """Rows of each pass, longest first: rows x longest <= `max_tokens`, except for a row alone.

    `at_least`: so many passes (of a row or more), for ranks that wait for each other.
    """
    order = lengths_B.argsort(descending=True, stable=True)
    passes: list[torch.Tensor] = []
    while len(order):
        num_rows = max(1, max_tokens // max(1, int(lengths_B[order[0]])))
        passes.append(order[:num_rows])
        order = order[num_rows:]
    while len(passes) < min(at_least, len(lengths_B)):
        largest = max(range(len(passes)), key=lambda index: len(passes[index]))
        passes[largest : largest + 1] = passes[largest].tensor_split(2)
    return passes


def sequence_lengths(batch: Mapping[str, Any]) -> torch.Tensor:
    """Prompt and completion tokens of each row."""
    lengths: torch.Tensor = batch["prompt_mask"].sum(dim=1) + batch["completion_mask"].sum(dim=1)
    return lengths


def take_rows(batch: Mapping[str, Any], rows: torch.Tensor) -> dict[str, Any]:
    """What belongs to a row is taken; figures of the whole step (0-dimensional) stay."""
    return {
        name: value[rows] if torch.is_tensor(value) and value.dim() else value
        for name, value in batch.items()
    }


def share_of_loss(loss_type: str, part: Mapping[str, Any], whole: Mapping[str, Any]) -> float:
    """The factors with which the losses of the parts sum up to the loss of the whole batch."""
    if loss_type in MEAN_OF_ROWS:
        return len(part["completion_mask"]) / len(whole["completion_mask"])
    if loss_type in MEAN_OF_TOKENS:
        num_tokens = max(1, int(whole["completion_mask"].sum()))
        return int(part["completion_mask"].sum()) / num_tokens
    return 1.0


def lay_out(ids: torch.Tensor, mask: torch.Tensor, num_completion_columns: int) -> Layout:
    """`ids` and `mask` are (B, P + C). A pass without a completion scores one token as -100."""
    num_prompt_columns = mask.size(1) - num_completion_columns
    prompt_B1 = mask[:, :num_prompt_columns].sum(dim=1, keepdim=True)
    length_B1 = mask.sum(dim=1, keepdim=True)
    column_T = torch.arange(int(length_B1.max()), device=ids.device)
    source_BT = (num_prompt_columns - prompt_B1 + column_T).clamp(max=mask.size(1) - 1)
    mask_BT = column_T < length_B1
    ids_BT = ids.gather(1, source_BT).where(mask_BT, 0)
    scored_BT = (column_T >= prompt_B1 - 1) & (column_T < length_B1 - 1)
    targets_N = ids_BT.roll(-1, dims=1)[scored_BT]
    if len(targets_N) == 0:
        scored_BT[0, 0] = True
        targets_N = ids.new_full((1,), -100)
    return Layout(ids_BT, mask_BT, scored_BT, targets_N)
