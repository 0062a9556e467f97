"""Optimizer steps that were skipped because their loss or gradient was no number."""

import math

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


def check_finite(loss: float, grad_norm: float) -> None:
    """For DeepSpeed, whose step is taken before anybody sees its gradient. Raises PlauditError."""
    if math.isfinite(loss) and math.isfinite(grad_norm):
        return
    raise PlauditError(
        f"learner: the loss is {loss} and the gradient {grad_norm} under DeepSpeed, which does not "
        "skip such a step; the weights are spoilt and are not published.",
        fix="lower method.learning_rate or method.max_grad_norm and resume from the last "
        "checkpoint",
    )
