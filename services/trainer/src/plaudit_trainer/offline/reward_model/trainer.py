"""TRL's reward trainer, with a head that gives a reward at every token."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from plaudit_trainer.offline.method import Row
from plaudit_trainer.offline.reward_model.batch import Ends, PairCollator
from plaudit_trainer.offline.reward_model.loss import PairRewards, pair_rewards
from plaudit_trainer.offline.steps import StepTrainer

Batch = dict[str, torch.Tensor]


class Scored(NamedTuple):
    """A batch under the current weights."""

    rewards_BT: torch.Tensor
    pairs: PairRewards
    loss_P: torch.Tensor
    figures: dict[str, float]
    """Further means of the batch, for the log."""


Loss = Callable[[torch.Tensor, PairRewards, Batch], tuple[torch.Tensor, dict[str, float]]]
"""(rewards (B, T), the pairs', the batch) -> the loss of each pair, figures for the log."""


class RewardModelTrainer(StepTrainer, RewardTrainer):
    def __init__(self, *args: Any, pairs: list[Row], pair_loss: Loss, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pair_loss = pair_loss
        self.pairs = pairs

    def score(self, model: Any, inputs: Batch) -> Scored:
        output = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            use_cache=False,
        )
        rewards_BT = output.logits.squeeze(-1)
        pairs = pair_rewards(rewards_BT, inputs["ends"])
        loss_P, figures = self._pair_loss(rewards_BT, pairs, inputs)
        return Scored(rewards_BT, pairs, loss_P, figures)

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        scored = self.score(model, inputs)
        margin_P = (scored.pairs.chosen_P - scored.pairs.rejected_P).detach()
        self._note("pair_accuracy", (margin_P > 0).float().mean().item())
        self._note("margin", margin_P.mean().item())
        for name, value in scored.figures.items():
            self._note(name, value)
        return scored.loss_P.mean()

    def _note(self, name: str, value: float) -> None:
        """Of this process and pass; a step's line has the mean over its passes."""
        self._metrics["train"][name].append(value)


def build_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[Row],
    arguments: dict[str, Any],
    ends: Ends,
    pair_loss: Loss,
) -> RewardModelTrainer:
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return RewardModelTrainer(
        model=model,
        args=RewardConfig(**arguments, remove_unused_columns=False),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        pairs=rows,
        data_collator=PairCollator(int(tokenizer.pad_token_id), ends),
        pair_loss=pair_loss,
    )
