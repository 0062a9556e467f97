"""What the methods share that train a language model and leave one."""

from pathlib import Path
from typing import TYPE_CHECKING

from plaudit.schemas.recipe import OfflineRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from plaudit_trainer.offline.steps import StepTrainer


class LanguageModelMethod:
    def load_model(self, recipe: OfflineRecipe) -> "PreTrainedModel":
        from plaudit_trainer.learner.loading import load_model

        return load_model(recipe)

    def save_final(
        self,
        recipe: OfflineRecipe,
        trainer: "StepTrainer",
        tokenizer: "PreTrainedTokenizerBase",
        run_dir: Path,
    ) -> None:
        from plaudit_trainer.learner.final import save_final

        save_final(trainer, tokenizer, run_dir, recipe.model.dtype)
