"""The learner's wait for scored groups: shown to the user, and bounded."""

import time
from collections.abc import Mapping
from typing import Protocol

from plaudit.errors import Stalled
from plaudit.schemas.recipe import Recipe
from plaudit.schemas.run import Ledger, ReadyGroup
from plaudit_trainer.bounds import STARTUP_BOUND_S

WHO = "learner"


class GroupLedger(Protocol):
    """The part of LearnerLedger that taking a batch needs."""

    def count_ready(self) -> int: ...
    def peek_ready(self, most: int) -> list[ReadyGroup]: ...
    def commit_step(self, step: int, trained: list[str], dropped: Mapping[str, str]) -> None: ...
    def counts(self) -> Ledger: ...
    def is_starting(self) -> bool: ...
    def set_waiting(self, who: str, what: str | None) -> None: ...


class Wait:
    """One wait, shown in the status while it lasts. Whatever moves in the ledger restarts it."""

    def __init__(self, ledger: GroupLedger, recipe: Recipe) -> None:
        self.total_s = 0.0
        self._ledger = ledger
        self._recipe = recipe
        self._is_shown = False
        self._last_seen: tuple[Ledger, bool] | None = None
        self._moved_at_s = self._started_s = time.monotonic()

    def __enter__(self) -> None:
        self._moved_at_s = self._started_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.total_s += time.monotonic() - self._started_s
        if self._is_shown:
            self._ledger.set_waiting(WHO, None)
            self._is_shown = False

    def check(self, num_ready: int, wanted: int) -> None:
        """Raises Stalled when nothing has moved for as long as the recipe allows."""
        if not self._is_shown:
            self._ledger.set_waiting(WHO, f"{wanted} scored groups")
            self._is_shown = True
        counts = self._ledger.counts()
        is_starting = self._ledger.is_starting()
        now_s = time.monotonic()
        if (counts, is_starting) != self._last_seen:
            self._last_seen = (counts, is_starting)
            self._moved_at_s = now_s
        bound_s = self._recipe.pipeline.stall_timeout_s
        # Engines load before anything moves, and the model is evaluated before the first group.
        if counts.admitted == 0 or is_starting:
            bound_s = max(bound_s, STARTUP_BOUND_S)
        if now_s - self._moved_at_s > bound_s:
            raise Stalled(
                f"learner: waits for {wanted} scored groups and has {num_ready}; nothing has moved "
                f"for {bound_s:.0f} s (pipeline.stall_timeout_s); {counts.in_flight} in flight.",
                fix="look at the conductor and at the stages with queued work in the status",
            )
