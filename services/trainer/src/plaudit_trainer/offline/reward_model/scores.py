"""Rewards of held-out pairs, and what follows from them."""

import statistics
from typing import TYPE_CHECKING, NamedTuple

import torch

from plaudit.scale import MIN_STD
from plaudit_trainer.offline.evaluation import score_rows
from plaudit_trainer.offline.method import Evaluation, Row

if TYPE_CHECKING:
    from plaudit_trainer.offline.reward_model.trainer import RewardModelTrainer


class PairScore(NamedTuple):
    chosen: float
    rejected: float
    loss: float
    num_segments: float
    """Of both answers."""


def score_pairs(trainer: "RewardModelTrainer", rows: list[Row]) -> list[PairScore]:
    """All processes together."""

    def score(batch: list[Row]) -> list[list[float]]:
        inputs = trainer._prepare_inputs(trainer.data_collator(batch))
        found = trainer.score(trainer.model_wrapped, inputs)
        chosen, rejected = inputs["ends"].sum(1).chunk(2)
        columns = [*found.pairs, found.loss_P, chosen + rejected]
        scores: list[list[float]] = torch.stack(columns, dim=1).tolist()
        return scores

    return [PairScore(*values) for values in score_rows(trainer, rows, score)]


def evaluation(rows: list[Row], scores: list[PairScore]) -> Evaluation:
    """Equal rewards are no preference. A standard deviation is a sample's, at least 1e-8."""
    margins = [one.chosen - one.rejected for one in scores]
    rewards = [reward for one in scores for reward in (one.chosen, one.rejected)]
    figures = {
        "loss": statistics.fmean(one.loss for one in scores),
        "margin_mean": statistics.fmean(margins),
        "reward_mean": statistics.fmean(rewards),
        "reward_std": max(statistics.stdev(rewards), MIN_STD),
    }
    if len(margins) > 1:
        figures["margin_std"] = statistics.stdev(margins)
    by_row = {row["id"]: float(one > 0) for row, one in zip(rows, margins, strict=True)}
    return Evaluation(by_row, figures)
