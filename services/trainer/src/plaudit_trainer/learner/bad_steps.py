"""Optimizer steps that were skipped because their loss or gradient was no number."""

import math
from typing import Any

from plaudit.errors import PlauditError
from plaudit.telemetry import get_logger

log = get_logger(__name__)


class BadSteps:
    """More than `max_in_a_row` end the run."""

    def __init__(self, max_in_a_row: int) -> None:
        self._max_in_a_row = max_in_a_row
        self._num_in_a_row = 0
        self._num_skipped = 0

    def note(self, *, is_bad: bool, loss: float, grad_norm: float) -> None:
        """After each optimizer step. Raises PlauditError."""
        if not is_bad:
            self._num_in_a_row = 0
            return
        self._num_in_a_row += 1
        self._num_skipped += 1
        log.warning("step_skipped", loss=loss, grad_norm=grad_norm, in_a_row=self._num_in_a_row)
        if self._num_in_a_row > self._max_in_a_row:
            raise PlauditError(
                f"learner: the loss ({loss}) or the gradient ({grad_norm}) was no number in "
                f"{self._num_in_a_row} steps in a row (method.max_skipped_steps = "
                f"{self._max_in_a_row}); the weights are those before them.",
                fix="lower method.learning_rate or method.max_grad_norm, or look at the rewards, "
                "and resume from the last checkpoint",
            )

    def drain(self) -> int:
        """How many since the last call."""
        num_skipped, self._num_skipped = self._num_skipped, 0
        return num_skipped


def deepspeed_skipped(engine: Any, grad_norm: Any) -> bool:
    """Whether DeepSpeed left its last step out, as it does, on all ranks, for a gradient that is no
    number; it has been taken or left out before anybody sees its gradient. Raises PlauditError."""
    if not engine.was_step_applied():
        return True
    if math.isfinite(grad_norm or 0.0):
        return False
    raise PlauditError(
        f"learner: DeepSpeed took a step along a gradient of {grad_norm}, since its configuration "
        "does not check gradients; the weights are spoilt and are not published.",
        fix="take check_grad_overflow = false out of learner.deepspeed, or use ZeRO, and resume "
        "from the last checkpoint",
    )
