"""Forward passes over completions of like length, so that little padding is computed.

Tensor shapes: B completions, P prompt columns (padded left), C completion columns (padded right).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

MAX_CHUNKS = 8
MIN_ROWS = 16
"""Smaller passes cost more in overhead than they save."""

Forward = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor | None]]
"""(ids, mask, C) -> log-probabilities and entropies of the C completion columns."""


class Chunk(NamedTuple):
    rows: torch.Tensor
    first_column: int
    num_completion_columns: int


def plan_chunks(mask: torch.Tensor, num_completion_columns: int) -> list[Chunk]:
    """`mask` is (B, P + C). Rows are sorted by length, columns are cut to what the rows use."""
    num_prompt_columns = mask.size(1) - num_completion_columns
    prompt_B = mask[:, :num_prompt_columns].sum(dim=1)
    completion_B = mask[:, num_prompt_columns:].sum(dim=1)
    order = (prompt_B + completion_B).argsort(stable=True)
    num_chunks = max(1, min(MAX_CHUNKS, mask.size(0) // MIN_ROWS))
    return [
        Chunk(
            rows,
            num_prompt_columns - int(prompt_B[rows].max()),
            max(1, int(completion_B[rows].max())),
        )
        for rows in order.tensor_split(num_chunks)
    ]


def forward_in_chunks(
    forward: Forward, ids: torch.Tensor, mask: torch.Tensor, num_completion_columns: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What `forward` gives for the whole batch; masked positions are 0."""
    num_prompt_columns = mask.size(1) - num_completion_columns
    order, logprobs, entropies = [], [], []
    for rows, first, width in plan_chunks(mask, num_completion_columns):
        columns = slice(first, num_prompt_columns + width)
        chunk_logprobs, chunk_entropies = forward(ids[rows, columns], mask[rows, columns], width)
        order.append(rows)
        logprobs.append(_widen(chunk_logprobs, num_completion_columns))
        if chunk_entropies is not None:
            entropies.append(_widen(chunk_entropies, num_completion_columns))
    back = torch.cat(order).argsort()
    return torch.cat(logprobs)[back], torch.cat(entropies)[back] if entropies else None


def _widen(values: torch.Tensor, num_columns: int) -> torch.Tensor:
    return torch.nn.functional.pad(values, (0, num_columns - values.size(1)))
