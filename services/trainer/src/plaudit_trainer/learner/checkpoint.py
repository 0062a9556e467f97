"""Checkpoints: what a resumed learner needs, complete or absent.

checkpoints/step-000010/ holds what transformers writes (model, optimizer, scheduler, random state,
trainer state) and, written last, plaudit.json. The data and queue position are in the ledger, which
returns the groups of later steps to the ready ones.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from plaudit.schemas.common import Contract
from plaudit_trainer.learner import disk
from plaudit_trainer.learner.weights import LearnedState

MARKER = "plaudit.json"
BEST = "best"

SaveInto = Callable[[str], str]
"""Writes a checkpoint below the given directory; returns the path of what it wrote."""


class CheckpointRecord(Contract):
    """The marker. `newest_version` is the newest policy version when it was written."""

    run_id: str
    step: int
    newest_version: int | None
    reward_weights: LearnedState | None = None
    value: float | None = None
    """Of `budget.best_by`, over the steps since the checkpoint before."""


class CheckpointStore:
    """`is_writer` on one rank only; on the others nothing but their own files is written.

    The newest `keep` are kept and, where they have values, the best one: `best` links to it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        keep: int,
        is_writer: bool = True,
        best_is: Literal["highest", "lowest"] = "highest",
    ) -> None:
        self._directory = directory
        self._keep = keep
        self._sign = 1.0 if best_is == "highest" else -1.0
        self._is_writer = is_writer
        directory.mkdir(parents=True, exist_ok=True)

    def path(self, step: int) -> Path:
        return self._directory / f"step-{step:06d}"

    def newest(self) -> CheckpointRecord | None:
        """The newest complete one."""
        return max(self._records(), key=lambda record: record.step, default=None)

    def remove_incomplete(self) -> None:
        disk.remove_leftovers(self._directory)
        complete = {self.path(record.step) for record in self._records()}
        for path in self._directory.glob("step-*"):
            if path not in complete:
                shutil.rmtree(path)

    def write(
        self, record: CheckpointRecord, save_into: SaveInto, barrier: Callable[[], None]
    ) -> None:
        """All ranks together. Raises ConfigError when the disk refuses, leaving nothing behind."""
        target = self.path(record.step)
        if target.exists():
            return
        staging = self._directory / f".tmp-{target.name}"
        try:
            with disk.writing(f"the checkpoint of step {record.step}", self._directory):
                written = Path(save_into(str(staging)))
                barrier()
                if self._is_writer:
                    self._complete(written, record)
        finally:
            if self._is_writer:
                shutil.rmtree(staging, ignore_errors=True)
        if self._is_writer:
            self._remove_old()
        barrier()

    def _complete(self, written: Path, record: CheckpointRecord) -> None:
        disk.sync_tree(written)
        (written / MARKER).write_text(record.model_dump_json())
        disk.sync(written / MARKER)
        written.rename(self.path(record.step))
        disk.sync(self._directory)

    def best(self) -> CheckpointRecord | None:
        """The newest of the best, or None where none has a value."""
        valued = [(r.value * self._sign, r.step, r) for r in self._records() if r.value is not None]
        return max(valued)[2] if valued else None

    def _remove_old(self) -> None:
        best = self.best()
        if best is not None:
            self._link_best(best.step)
        steps = sorted(record.step for record in self._records())
        for step in steps[: -self._keep]:
            if best is None or step != best.step:
                shutil.rmtree(self.path(step))

    def _link_best(self, step: int) -> None:
        temporary = self._directory / ".best"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(self.path(step).name)
        temporary.replace(self._directory / BEST)

    def _records(self) -> list[CheckpointRecord]:
        records = [_read(path / MARKER) for path in self._directory.glob("step-*")]
        return [record for record in records if record is not None]


def _read(marker: Path) -> CheckpointRecord | None:
    try:
        return CheckpointRecord.model_validate_json(marker.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
