"""How the processes of a learner share the work."""

from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract

Strategy = Literal[
    "ddp", "zero1", "zero2", "zero3", "zero1_offload", "zero2_offload", "zero3_offload", "fsdp2"
]


class LearnerRecipe(Contract):
    num_processes: int = Field(default=1, ge=1)
    strategy: Strategy = "ddp"
    """What is sharded over the processes, and whether it is kept in host memory (offload)."""
    deepspeed: str | None = None
    """A DeepSpeed JSON configuration of your own, in place of `strategy`."""
    gradient_checkpointing: bool | None = None
    """Absent: on a GPU."""
    max_tokens_per_pass: int | None = Field(default=None, ge=16)
    """A forward and backward pass takes sequences of like length, up to so many tokens with their
    padding. The result does not change. Absent: 2048 on CPU, 16384 on a GPU."""
    num_threads: int | None = Field(default=None, ge=1)
    probe_tolerance: float | None = Field(default=None, gt=0.0)
    """How far an engine's log-probabilities may be off; absent: 1e-4, in bfloat16 0.5."""

    @model_validator(mode="after")
    def one_strategy(self) -> Self:
        if self.deepspeed is not None and self.strategy != "ddp":
            raise ValueError("give strategy or deepspeed, not both")
        return self
