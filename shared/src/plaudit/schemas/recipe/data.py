"""What a recipe trains and evaluates on."""

from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit.length_budget import BudgetForm, BudgetStyle
from plaudit.schemas.common import Contract


class LengthBudgetRecipe(Contract):
    """Each prompt also asks for a number of tokens, for `lcpo_exact` and `lcpo_max`."""

    form: BudgetForm = "exact"
    style: BudgetStyle = "l1"
    min_tokens: int = Field(default=100, ge=1)
    max_tokens: int = Field(default=4000, ge=1)
    """Drawn evenly from both and what is between, the same for the same row and `seed`."""
    seed: int = 0

    @model_validator(mode="after")
    def is_a_range(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens = {self.min_tokens} is over max_tokens")
        return self


class DataRecipe(Contract):
    train: str = "seed"
    """A JSONL file, or `seed`: the task that comes with the seed model."""
    eval: str | None = "seed"
    format: Literal["plaudit", "gsm8k"] = "plaudit"
    """plaudit: columns id, kind, prompt, reference. gsm8k: question, answer (gold after ####)."""
    system_prompt: str | None = None
    max_rows: int | None = Field(default=None, ge=1)
    length_budget: LengthBudgetRecipe | None = None
    """Put into the prompt and into `reference.num_tokens`; rows that have one there keep it."""
