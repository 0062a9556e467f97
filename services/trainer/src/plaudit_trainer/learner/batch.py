"""Completions -> the padded tensors that the loss reads.

Tensor shapes: B completions, P tokens in the longest prompt, C tokens in the longest completion.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plaudit.schemas.run import Unit

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Row:
    """One completion to train on. `is_masked`: it keeps its place and gives no gradient.

    Rows with the same `group` are of one prompt.
    """

    prompt_ids: list[int]
    completion_ids: list[int]
    logprobs: list[float]
    """The engine's own, at the sampling temperature; as long as `completion_ids`."""
    reward: float | None
    """Of the whole completion; None is missing."""
    group: int
    token_rewards: list[float] = field(default_factory=list)
    """One for each token, or none at all."""
    units: list[Unit] = field(default_factory=list)
    is_masked: bool = False
    is_on_policy: bool = False
    """The learner's weights now are the ones that produced every token."""


@dataclass(frozen=True)
class Tensors:
    """Prompts are padded on the left, completions on the right; padding has mask 0."""

    prompt_ids_BP: "torch.Tensor"
    prompt_mask_BP: "torch.Tensor"
    completion_ids_BC: "torch.Tensor"
    completion_mask_BC: "torch.Tensor"
    logprobs_BC: "torch.Tensor"
    on_policy_B: "torch.Tensor"
    rewards_B: "torch.Tensor"
    """NaN is missing; float64, as `token_rewards_BC`."""
    token_rewards_BC: "torch.Tensor"
    group_B: "torch.Tensor"
    units: list[list[Unit]]


def pad_rows(rows: Sequence[Row], pad_id: int) -> Tensors:
    """Pad to the longest prompt and completion of `rows` and no further."""
    import torch

    num_rows = len(rows)
    longest_prompt = max(len(row.prompt_ids) for row in rows)
    longest_completion = max(1, *(len(row.completion_ids) for row in rows))
    tensors = Tensors(
        prompt_ids_BP=torch.full((num_rows, longest_prompt), pad_id),
        prompt_mask_BP=torch.zeros(num_rows, longest_prompt, dtype=torch.long),
        completion_ids_BC=torch.full((num_rows, longest_completion), pad_id),
        completion_mask_BC=torch.zeros(num_rows, longest_completion, dtype=torch.long),
        logprobs_BC=torch.zeros(num_rows, longest_completion),
        on_policy_B=torch.tensor([row.is_on_policy for row in rows]),
        rewards_B=_tensor_of_rewards(rows),
        token_rewards_BC=torch.zeros(num_rows, longest_completion, dtype=torch.float64),
        group_B=torch.tensor([row.group for row in rows]),
        units=[row.units for row in rows],
    )
    for index, row in enumerate(rows):
        _fill(tensors, index, row, longest_prompt)
    return tensors


def _tensor_of_rewards(rows: Sequence[Row]) -> "torch.Tensor":
    import torch

    rewards = [math.nan if row.reward is None else row.reward for row in rows]
    return torch.tensor(rewards, dtype=torch.float64)


def _fill(tensors: Tensors, index: int, row: Row, longest_prompt: int) -> None:
    import torch

    start = longest_prompt - len(row.prompt_ids)
    end = len(row.completion_ids)
    tensors.prompt_ids_BP[index, start:] = torch.tensor(row.prompt_ids)
    tensors.prompt_mask_BP[index, start:] = 1
    tensors.completion_ids_BC[index, :end] = torch.tensor(row.completion_ids, dtype=torch.long)
    tensors.completion_mask_BC[index, :end] = 0 if row.is_masked else 1
    tensors.logprobs_BC[index, :end] = torch.tensor(row.logprobs)
    if row.token_rewards:
        token_rewards = torch.tensor(row.token_rewards, dtype=torch.float64)
        tensors.token_rewards_BC[index, :end] = token_rewards
