"""What an offline method is to the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import OfflineRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from plaudit_trainer.offline.steps import StepTrainer

Row = dict[str, Any]
"""One tokenised example: `id`, and the columns that its trainer reads."""


@dataclass(frozen=True)
class Evaluation:
    """Of held-out rows: the method's metric by the id of the row, and further means."""

    by_row: dict[str, float]
    figures: dict[str, float] = field(default_factory=dict)


class OfflineMethod(Protocol):
    """`registry` has one for each `method.name`. Models, tokenizers and trainers are torch's."""

    @property
    def metric(self) -> str:
        """What `evaluate` gives for each row; higher is better."""
        ...

    @property
    def example(self) -> type[Conversation | Preference | Labelled]:
        """What it learns from."""
        ...

    def rows(
        self, recipe: OfflineRecipe, tokenizer: Any, examples: Sequence[Any], setting: str
    ) -> list[Row]:
        """`examples` are those of `setting`. Raises ConfigError naming setting, row and fix."""
        ...

    def load_model(self, recipe: OfflineRecipe) -> "PreTrainedModel": ...

    def trainer(
        self,
        recipe: OfflineRecipe,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        rows: list[Row],
        arguments: dict[str, Any],
    ) -> "StepTrainer":
        """`arguments`: of transformers' TrainingArguments, complete but for the method's own."""
        ...

    def evaluate(self, trainer: "StepTrainer", rows: list[Row]) -> Evaluation:
        """All processes together; each of them gets the whole result."""
        ...

    def save_final(
        self,
        recipe: OfflineRecipe,
        trainer: "StepTrainer",
        tokenizer: "PreTrainedTokenizerBase",
        run_dir: Path,
    ) -> None:
        """All processes together. Raises ConfigError when the disk refuses."""
        ...
