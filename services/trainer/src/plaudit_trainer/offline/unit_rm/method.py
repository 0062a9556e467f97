"""`method.name = "unit_rm"`."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from plaudit.schemas.examples import Preference
from plaudit.schemas.recipe import OfflineRecipe, UnitRewardModelMethod, UnitRewardModelRecipe
from plaudit.segments import NORMALIZATION_FILE
from plaudit.telemetry import get_logger
from plaudit_trainer.learner.final import NAME
from plaudit_trainer.offline.evaluation import score_rows
from plaudit_trainer.offline.method import Evaluation, Row
from plaudit_trainer.offline.reward_model.final import save_reward_model
from plaudit_trainer.offline.reward_model.loss import PairRewards, bradley_terry
from plaudit_trainer.offline.reward_model.model import load_reward_model
from plaudit_trainer.offline.reward_model.rows import check_eos, margin_of
from plaudit_trainer.offline.reward_model.scores import evaluation, score_pairs
from plaudit_trainer.offline.reward_model.trainer import (
    Batch,
    Loss,
    RewardModelTrainer,
    build_trainer,
)
from plaudit_trainer.offline.steps import StepTrainer
from plaudit_trainer.offline.unit_rm.loss import entropy_shares
from plaudit_trainer.offline.unit_rm.normalization import (
    Fit,
    fit_location_norm,
    normalization_file,
    normalization_key,
)
from plaudit_trainer.offline.unit_rm.reference import load_reference
from plaudit_trainer.offline.unit_rm.rows import encode_pair
from plaudit_trainer.offline.unit_rm.segmenter import Segmenter
from plaudit_trainer.run_dir import RunDir

log = get_logger(__name__)


class UnitRewardModel:
    example = Preference
    metric = "pair_accuracy"
    """Share of the pairs whose chosen answer has the higher mean reward of its segments."""

    def rows(
        self,
        recipe: OfflineRecipe,
        tokenizer: Any,
        examples: Sequence[Preference],
        setting: str,
    ) -> list[Row]:
        assert isinstance(recipe, UnitRewardModelRecipe)
        check_eos(tokenizer, recipe.model.path)
        rows = []
        for pair in examples:
            place = f"{setting}, row {pair.id!r}"
            row = encode_pair(tokenizer, pair, place, recipe.model.max_model_tokens)
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
        assert isinstance(recipe, UnitRewardModelRecipe)
        # Before DeepSpeed is configured, which would share its weights over the processes.
        reference = load_reference(recipe, tokenizer)
        segmenter = Segmenter(reference, recipe.method.c_ent)
        loss = unit_loss(recipe.method)
        trainer = build_trainer(model, tokenizer, rows, arguments, segmenter, loss)
        segmenter.reference = reference.to(trainer.accelerator.device)
        return trainer

    def evaluate(self, trainer: StepTrainer, rows: list[Row]) -> Evaluation:
        scores = score_pairs(cast(RewardModelTrainer, trainer), rows)
        found = evaluation(rows, scores)
        num_segments = sum(one.num_segments for one in scores)
        found.figures["segments_per_answer"] = num_segments / (2 * len(rows))
        found.figures["tokens_per_segment"] = sum(map(_num_tokens, rows)) / num_segments
        return found

    def save_final(
        self,
        recipe: OfflineRecipe,
        trainer: StepTrainer,
        tokenizer: PreTrainedTokenizerBase,
        run_dir: Path,
    ) -> None:
        assert isinstance(recipe, UnitRewardModelRecipe)
        fit = fit_location_norm(segment_rewards(recipe, cast(RewardModelTrainer, trainer)))
        prefix = recipe.method.value_head_prefix
        save_reward_model(trainer, tokenizer, run_dir, recipe.model.dtype, prefix)
        if trainer.accelerator.is_main_process:
            _write_fit(RunDir(run_dir), recipe, fit)


def unit_loss(method: UnitRewardModelMethod) -> Loss:
    def loss(
        rewards_BT: torch.Tensor, pairs: PairRewards, batch: Batch
    ) -> tuple[torch.Tensor, dict[str, float]]:
        shares_B = entropy_shares(rewards_BT, batch["ends"], method.entropy_scale)
        preference_P = bradley_terry(pairs, batch["margin"], "sigmoid")
        loss_P = preference_P - method.entropy_weight * sum(shares_B.chunk(2))
        figures = {
            "preference_loss": preference_P.mean().item(),
            "entropy_share": shares_B.mean().item(),
            "segments_per_answer": batch["ends"].sum(1).float().mean().item(),
        }
        return loss_P, figures

    return loss


def segment_rewards(
    recipe: UnitRewardModelRecipe, trainer: RewardModelTrainer
) -> list[list[float]]:
    """Of answers of the training data, drawn by the recipe's seed. All processes together."""
    wanted = recipe.method.num_fit_samples
    num_pairs = min(len(trainer.pairs), (wanted + 1) // 2)
    rows = random.Random(recipe.seed).sample(trainer.pairs, num_pairs)

    def score(batch: list[Row]) -> list[list[float]]:
        inputs = trainer._prepare_inputs(trainer.data_collator(batch))
        rewards_BT = trainer.score(trainer.model_wrapped, inputs).rewards_BT
        by_answer = zip(rewards_BT, inputs["ends"], strict=True)
        found = [rewards_T[ends_T].tolist() for rewards_T, ends_T in by_answer]
        pairs = zip(found[: len(batch)], found[len(batch) :], strict=True)
        return [[len(chosen), *chosen, *rejected] for chosen, rejected in pairs]

    answers = []
    for count, *rewards in score_rows(trainer, rows, score):
        answers += [rewards[: int(count)], rewards[int(count) :]]
    return answers[:wanted]


def _write_fit(run_dir: RunDir, recipe: UnitRewardModelRecipe, fit: Fit) -> None:
    dataset = recipe.data.train or recipe.name
    key = normalization_key(recipe.model.path, dataset, recipe.method.c_ent)
    run_dir.write_json(f"{NAME}/{NORMALIZATION_FILE}", normalization_file(key, fit))
    if fit.warning is not None:
        log.warning("no location-aware normalisation", reason=fit.warning)
    log.info("normalisation fitted", key=key, **fit._asdict())


def _num_tokens(row: Row) -> int:
    """Of both answers, without their EOS."""
    both = len(row["chosen_ids"]) + len(row["rejected_ids"])
    return both - 2 * (int(row["num_prompt_tokens"]) + 1)
