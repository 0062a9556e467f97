"""`method.name = "dpo"`."""

import statistics
from collections.abc import Sequence
from typing import Any, cast

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.dpo_config import DPOConfig

from plaudit.schemas.examples import Preference
from plaudit.schemas.recipe import DpoRecipe, OfflineRecipe
from plaudit_trainer.offline.dpo.trainer import DpoTrainer, rewards
from plaudit_trainer.offline.evaluation import score_rows
from plaudit_trainer.offline.implicit_reward import collated
from plaudit_trainer.offline.language_model import LanguageModelMethod
from plaudit_trainer.offline.method import Evaluation, Row
from plaudit_trainer.offline.pairs import pair_rows
from plaudit_trainer.offline.steps import StepTrainer


class Dpo(LanguageModelMethod):
    example = Preference
    metric = "pair_accuracy"
    """Whether the chosen answer has the higher implicit reward; equal ones count a half."""

    def rows(
        self, recipe: OfflineRecipe, tokenizer: Any, examples: Sequence[Preference], setting: str
    ) -> list[Row]:
        return pair_rows(tokenizer, examples, setting, recipe.model.max_model_tokens)

    def trainer(
        self,
        recipe: OfflineRecipe,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        rows: list[Row],
        arguments: dict[str, Any],
    ) -> DpoTrainer:
        assert isinstance(recipe, DpoRecipe)
        return DpoTrainer(
            method=recipe.method,
            model=model,
            args=DPOConfig(**arguments, beta=recipe.method.beta),
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(rows),
        )

    def evaluate(self, trainer: StepTrainer, rows: list[Row]) -> Evaluation:
        dpo = cast(DpoTrainer, trainer)

        def score(batch: list[Row]) -> list[list[float]]:
            policy, reference = dpo.log_probs(dpo.model_wrapped, collated(dpo, batch))
            chosen, rejected = rewards(policy, reference, dpo.beta)
            return [[margin] for margin in (chosen - rejected).tolist()]

        margins = [margin for (margin,) in score_rows(dpo, rows, score)]
        by_row = {
            row["id"]: 0.5 * (1 + (margin > 0) - (margin < 0))
            for row, margin in zip(rows, margins, strict=True)
        }
        return Evaluation(by_row, {"margin": statistics.fmean(margins)})
