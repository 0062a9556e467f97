"""The model that a recipe trains."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract


class LoraRecipe(Contract):
    """Low-rank adapters (arXiv 2106.09685) in place of all weights."""

    rank: int = Field(default=16, ge=1, le=1024)
    alpha: float = Field(default=32.0, gt=0.0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    targets: list[str] = ["all-linear"]
    """Names of the layers that get one, as PEFT matches them."""
    publish: Literal["merged", "adapter"] = "merged"
    """What the engines are given of an online run: whole weights, or the adapter alone over the
    base, which they are given once."""


class ModelRecipe(Contract):
    path: str = "seed"
    """A directory, a hub id, or `seed`: the tiny model that Plaudit builds itself."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_model_tokens: int = Field(default=1024, ge=16)
    """Prompt and completion together; a longer prompt is refused before the run starts."""
    lora: LoraRecipe | None = None

    @property
    def published_rank(self) -> int:
        """Of the adapters that are published alone; 0: whole weights are."""
        return self.lora.rank if self.lora is not None and self.lora.publish == "adapter" else 0
