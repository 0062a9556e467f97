"""Rank 0 takes a batch; every rank gets its share of the completions."""

from collections.abc import Sequence
from pathlib import Path

from plaudit.errors import ConfigError
from plaudit_trainer.learner.batch import Row
from plaudit_trainer.learner.source import Batch, GroupSource
from plaudit_trainer.learner.weights import LearnedWeights
from plaudit_trainer.replay import ReplayBuffer


class BatchFeed:
    """`source` is None on all ranks but 0. `batch` is the last one, with groups on rank 0 only."""

    def __init__(self, source: GroupSource | None, *, mask_truncated: bool) -> None:
        self._source = source
        self._mask_truncated = mask_truncated
        self.batch = Batch([])

    def next_rows(self, num_steps_done: int) -> list[Row]:
        """This rank's completions. What stops rank 0 is raised on every rank."""
        from accelerate import PartialState

        state = PartialState()
        rows = self._take(num_steps_done)
        if state.num_processes > 1:
            rows = self._broadcast(rows)
        if isinstance(rows, Exception):
            raise rows
        return share(rows, state.process_index, state.num_processes)

    def step_done(self, num_steps_done: int) -> None:
        """The batch has been trained on."""
        if self._source is not None:
            self._source.learn_weights(self.batch.groups)
            self._source.remember(self.batch, num_steps_done)

    def save_into(self, directory: Path) -> None:
        """What a checkpoint keeps. Raises OSError."""
        if (replay := self.replay) is not None:
            replay.write(directory)

    @property
    def replay(self) -> ReplayBuffer | None:
        return None if self._source is None else self._source.replay

    @property
    def learned(self) -> LearnedWeights | None:
        return None if self._source is None else self._source.learned

    def _take(self, num_steps_done: int) -> list[Row] | Exception:
        if self._source is None:
            return []
        try:
            self.batch = self._source.take(num_steps_done)
        except Exception as error:  # why: the other ranks wait and must stop for the same reason
            return error
        return [
            row
            for number, taken in enumerate([*self.batch.groups, *self.batch.replayed])
            for row in taken.rows(number, mask_truncated=self._mask_truncated)
        ]

    def _broadcast(self, rows: list[Row] | Exception) -> list[Row] | Exception:
        from accelerate.utils import broadcast_object_list

        received: list[list[Row] | Exception] = [rows]
        broadcast_object_list(received, from_process=0)
        return received[0]


def share(rows: Sequence[Row], rank: int, num_ranks: int) -> list[Row]:
    """An equal, contiguous part. Raises ConfigError when the rows do not divide."""
    if len(rows) % num_ranks:
        raise ConfigError(
            f"learner.num_processes = {num_ranks} does not divide the {len(rows)} completions "
            "of a step (pipeline.groups_per_step x method.num_generations).",
            fix="choose a divisor",
        )
    size = len(rows) // num_ranks
    return list(rows[rank * size : (rank + 1) * size])
