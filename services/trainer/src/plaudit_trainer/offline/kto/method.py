"""`method.name = "kto"`."""

import random
import statistics
from collections.abc import Sequence
from typing import Any, cast

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from plaudit.errors import ConfigError
from plaudit.schemas.examples import Labelled
from plaudit.schemas.recipe import KtoRecipe, OfflineRecipe
from plaudit_trainer.offline.evaluation import score_rows
from plaudit_trainer.offline.implicit_reward import (
    answer_log_probs,
    collated,
    reference_log_probs,
)
from plaudit_trainer.offline.kto.ranking import separation
from plaudit_trainer.offline.language_model import LanguageModelMethod
from plaudit_trainer.offline.method import Evaluation, Row
from plaudit_trainer.offline.steps import StepTrainer
from plaudit_trainer.offline.tokens import encode_answer


class KtoTrainer(StepTrainer, KTOTrainer):
    """TRL's; it gets token ids."""


class Kto(LanguageModelMethod):
    example = Labelled
    metric = "separation"
    """By implicit rewards, of good answers from bad ones: 0.5 is chance, 1 is perfect."""

    def rows(
        self, recipe: OfflineRecipe, tokenizer: Any, examples: Sequence[Labelled], setting: str
    ) -> list[Row]:
        limit = recipe.model.max_model_tokens
        rows = []
        for one in examples:
            place = f"{setting}, row {one.id!r}"
            ids, learned = encode_answer(tokenizer, one.prompt, one.completion, place, limit)
            start = learned.index(True)
            row = {"prompt_ids": ids[:start], "completion_ids": ids[start:], "label": one.label}
            rows.append({"id": one.id, **row})
        if setting == "data.eval":
            _check_both_labels(rows, setting)
        return rows

    def trainer(
        self,
        recipe: OfflineRecipe,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        rows: list[Row],
        arguments: dict[str, Any],
    ) -> KtoTrainer:
        assert isinstance(recipe, KtoRecipe)
        method = recipe.method
        config = KTOConfig(
            **arguments,
            beta=method.beta,
            loss_type=method.loss_type,
            desirable_weight=method.desirable_weight,
            undesirable_weight=method.undesirable_weight,
        )
        return KtoTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(
                with_mismatched(rows, config.per_device_train_batch_size, recipe.seed)
            ),
        )

    def evaluate(self, trainer: StepTrainer, rows: list[Row]) -> Evaluation:
        def score(batch: list[Row]) -> list[list[float]]:
            inputs = collated(trainer, batch)
            ratios = answer_log_probs(trainer.model_wrapped, inputs)
            ratios = ratios - reference_log_probs(trainer, inputs)
            return [[ratio] for ratio in (cast(KtoTrainer, trainer).beta * ratios).tolist()]

        rewards = [reward for (reward,) in score_rows(trainer, rows, score)]
        labels = [row["label"] for row in rows]
        values = separation(rewards, labels)
        by_label = {
            name: [reward for reward, one in zip(rewards, labels, strict=True) if one == label]
            for name, label in (("reward_good", True), ("reward_bad", False))
        }
        means = {name: statistics.fmean(found) for name, found in by_label.items()}
        return Evaluation(dict(zip((row["id"] for row in rows), values, strict=True)), means)


def with_mismatched(rows: list[Row], batch_size: int, seed: int) -> list[Row]:
    """Shuffled, each with the answer of another row of its batch, from which KTO estimates the KL.

    TRL visits the rows in this order, so that these are the batches.
    """
    order = random.Random(seed).sample(rows, len(rows))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [
        {**row, "KL_completion_ids": batch[i - 1]["completion_ids"]}
        for batch in batches
        for i, row in enumerate(batch)
    ]


def _check_both_labels(rows: list[Row], setting: str) -> None:
    labels = {row["label"] for row in rows}
    if len(labels) == 1:
        raise ConfigError(
            f"{setting}: every answer is labelled {labels.pop()}, which says nothing about telling "
            "them apart.",
            fix="give answers of both labels",
        )
