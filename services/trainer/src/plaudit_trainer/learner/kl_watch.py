"""Ends a run whose policy has left its reference model."""

from dataclasses import dataclass

from plaudit.errors import PlauditError

PATIENCE_STEPS = 3
"""One token that the reference holds to be impossible can carry the mean of a step."""


@dataclass
class KlWatch:
    """`max_kl` in nats per token."""

    max_kl: float
    num_over: int = 0

    def check(self, kl: float | None) -> None:
        """Of a step. Raises PlauditError after PATIENCE_STEPS in a row over the bound."""
        self.num_over = self.num_over + 1 if kl is not None and kl > self.max_kl else 0
        if self.num_over >= PATIENCE_STEPS:
            raise PlauditError(
                f"learner: in {self.num_over} steps in a row the policy was over method.max_kl = "
                f"{self.max_kl:g} nats per token from the reference model, at last {kl:.3g}: it "
                "diverges, and is not published.",
                fix="lower method.learning_rate, raise method.kl.coefficient or method.beta, or "
                "raise method.max_kl; then resume from the last checkpoint",
            )
