"""Everything that decides what the seed becomes; a change gives it a new fingerprint."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Task = Literal["demo", "slate"]
MAX_CONTEXT_TOKENS = 2048
"""Room for the longest problem of GSM8K (840 tokens of this tokenizer) and a long answer."""


class SeedSettings(BaseModel):
    """The recipe of the warm-up; the defaults are the ones of `make demo`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    task: Task = "demo"
    seed: int = 0
    vocabulary_size: int = 512
    hidden_size: int = 128
    num_layers: int = 2
    num_heads: int = 4
    warmup_steps: int = 680
    batch_size: int = 64
    learning_rate: float = 3e-3
    """Peak for embeddings, output head, norms and biases (AdamW)."""
    matrix_learning_rate: float = 3e-3
    """Peak for the matrices inside the layers (Muon)."""
    warmup_mix: dict[str, float] = {"arithmetic": 0.5, "code": 0.2, "free": 0.12, "judge": 0.18}
    skill_share: float = 0.65
    """The first part of the warm-up shows right replies only, which teaches the skills fastest."""
    right_share: float = 0.4
    """How often the rest of the warm-up shows a right reply; else it shows a bad habit."""
    num_eval_arithmetic: int = 160
    num_eval_code: int = 64
    num_eval_free: int = 32
    num_train_arithmetic: int = 1200
    num_train_code: int = 480
    num_train_free: int = 240
    num_eval_slate: int = 160

    @property
    def num_skill_examples(self) -> int:
        """How many examples come before the first bad habit."""
        return int(self.skill_share * self.warmup_steps * self.batch_size)


TASKS: dict[Task, SeedSettings] = {
    "demo": SeedSettings(),
    "slate": SeedSettings(task="slate", warmup_mix={"slate": 1.0}, warmup_steps=400),
}
