"""Held-out rows, in batches that the processes share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from accelerate.utils import gather_object

from plaudit_trainer.offline.method import Row

if TYPE_CHECKING:
    from plaudit_trainer.offline.steps import StepTrainer

Score = Callable[[list[Row]], list[list[float]]]
"""Numbers for each row of a batch, from one forward pass."""


def score_rows(trainer: "StepTrainer", rows: list[Row], score: Score) -> list[list[float]]:
    """In the order of the rows, the same on every process. Raises StopRequested."""
    size = trainer.args.per_device_eval_batch_size
    batches = [range(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]
    accelerator = trainer.accelerator
    rank, num_ranks = accelerator.process_index, accelerator.num_processes
    found: dict[int, list[float]] = {}
    model = cast(torch.nn.Module, trainer.model)
    was_training = model.training
    model.eval()
    for first in range(0, len(batches), num_ranks):
        # All processes run as many passes: sharded weights are gathered in them.
        batch = batches[min(first + rank, len(batches) - 1)]
        with torch.no_grad(), trainer.compute_loss_context_manager():
            scores = score([rows[i] for i in batch])
        found |= dict(zip(batch, scores, strict=True))
        trainer.raise_if_stopped()
    model.train(was_training)
    gathered = dict(gather_object(list(found.items())))
    return [gathered[i] for i in range(len(rows))]
