"""`method.name = "rm"`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from plaudit.schemas.examples import Preference
from plaudit.schemas.recipe import OfflineRecipe, RewardModelRecipe
from plaudit_trainer.offline.method import Evaluation, Row
from plaudit_trainer.offline.reward_model.batch import last_tokens
from plaudit_trainer.offline.reward_model.final import (
    classifier_architecture,
    save_reward_model,
)
from plaudit_trainer.offline.reward_model.loss import PairRewards, bradley_terry
from plaudit_trainer.offline.reward_model.model import HEAD, load_reward_model
from plaudit_trainer.offline.reward_model.rows import (
    check_eos,
    check_length,
    encode_text,
    margin_of,
)
from plaudit_trainer.offline.reward_model.scores import evaluation, score_pairs
from plaudit_trainer.offline.reward_model.trainer import Batch, RewardModelTrainer, build_trainer
from plaudit_trainer.offline.steps import StepTrainer


class RewardModel:
    example = Preference
    metric = "pair_accuracy"
    """Share of the pairs whose chosen answer has the higher reward."""

    def rows(
        self,
        recipe: OfflineRecipe,
        tokenizer: Any,
        examples: Sequence[Preference],
        setting: str,
    ) -> list[Row]:
        assert isinstance(recipe, RewardModelRecipe)
        check_eos(tokenizer, recipe.model.path)
        rows = []
        for pair in examples:
            place = f"{setting}, row {pair.id!r}"
            row: Row = {"id": pair.id, "num_prompt_tokens": 0}
            for side, answer in (("chosen", pair.chosen), ("rejected", pair.rejected)):
                ids = encode_text(tokenizer, pair.prompt, answer, place)
                check_length(ids, recipe.model.max_model_tokens, place)
                row[f"{side}_ids"] = ids
            row["margin"] = margin_of(pair, recipe.method.use_margin, place)
            rows.append(row)
        return rows

    def load_model(self, recipe: OfflineRecipe) -> PreTrainedModel:
        return load_reward_model(recipe.model.path, recipe.seed, recipe.model.lora)

    def trainer(
        self,
        recipe: OfflineRecipe,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        rows: list[Row],
        arguments: dict[str, Any],
    ) -> RewardModelTrainer:
        assert isinstance(recipe, RewardModelRecipe)
        loss_type = recipe.method.loss_type

        def loss(
            rewards_BT: torch.Tensor, pairs: PairRewards, batch: Batch
        ) -> tuple[torch.Tensor, dict[str, float]]:
            return bradley_terry(pairs, batch["margin"], loss_type), {}

        return build_trainer(model, tokenizer, rows, arguments, last_tokens, loss)

    def evaluate(self, trainer: StepTrainer, rows: list[Row]) -> Evaluation:
        return evaluation(rows, score_pairs(cast(RewardModelTrainer, trainer), rows))

    def save_final(
        self,
        recipe: OfflineRecipe,
        trainer: StepTrainer,
        tokenizer: PreTrainedTokenizerBase,
        run_dir: Path,
    ) -> None:
        assert isinstance(recipe, RewardModelRecipe)
        prefix = recipe.method.value_head_prefix
        facts: dict[str, Any] = {"append_eos": True}
        if prefix == HEAD:
            facts["architectures"] = classifier_architecture(cast(PreTrainedModel, trainer.model))
        save_reward_model(trainer, tokenizer, run_dir, recipe.model.dtype, prefix, **facts)
