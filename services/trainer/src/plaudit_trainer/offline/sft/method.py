"""`method.name = "sft"`."""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from plaudit.schemas.examples import Conversation
from plaudit.schemas.recipe import OfflineRecipe, SftRecipe
from plaudit_trainer.offline.evaluation import score_rows
from plaudit_trainer.offline.language_model import LanguageModelMethod
from plaudit_trainer.offline.method import Evaluation, Row
from plaudit_trainer.offline.sft.packing import pack
from plaudit_trainer.offline.steps import StepTrainer
from plaudit_trainer.offline.tokens import encode_conversation

IGNORED = -100


class SftTrainer(StepTrainer, SFTTrainer):
    """TRL's; it gets token ids and labels."""


class Sft(LanguageModelMethod):
    example = Conversation
    metric = "log_likelihood"
    """Mean over a conversation's learned tokens, in nats."""

    def rows(
        self,
        recipe: OfflineRecipe,
        tokenizer: Any,
        examples: Sequence[Conversation],
        setting: str,
    ) -> list[Row]:
        limit = recipe.model.max_model_tokens
        rows = []
        for one in examples:
            place = f"{setting}, row {one.id!r}"
            for ids, learned in encode_conversation(tokenizer, one.messages, place, limit):
                labels = [t if known else IGNORED for t, known in zip(ids, learned, strict=True)]
                rows.append({"id": one.id, "input_ids": ids, "labels": labels})
        return rows

    def trainer(
        self,
        recipe: OfflineRecipe,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        rows: list[Row],
        arguments: dict[str, Any],
    ) -> SftTrainer:
        assert isinstance(recipe, SftRecipe)
        packing = recipe.method.packing
        columns = pack(rows, recipe.model.max_model_tokens) if packing else _columns(rows)
        config = SFTConfig(**arguments, packing=packing)
        return SftTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(columns),
        )

    def evaluate(self, trainer: StepTrainer, rows: list[Row]) -> Evaluation:
        def score(batch: list[Row]) -> list[list[float]]:
            inputs = pad_batch(batch, trainer.pad_token_id)
            inputs = {name: one.to(trainer.accelerator.device) for name, one in inputs.items()}
            output = trainer.model_wrapped(**inputs, use_cache=False, fused_lm_head=True)
            sums, counts = output.log_probs.sum(1), output.label_mask.sum(1)
            return torch.stack([sums, counts], dim=1).tolist()

        totals: dict[str, tuple[float, float]] = {}
        for row, (value, count) in zip(rows, score_rows(trainer, rows, score), strict=True):
            before = totals.get(row["id"], (0.0, 0.0))
            totals[row["id"]] = (before[0] + value, before[1] + count)
        return Evaluation({name: value / count for name, (value, count) in totals.items()})


def pad_batch(batch: list[Row], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Padded on the right."""
    length = max(len(row["input_ids"]) for row in batch)
    shape = (len(batch), length)
    ids_BT, labels_BT = torch.full(shape, pad_token_id), torch.full(shape, IGNORED)
    mask_BT = torch.zeros(shape, dtype=torch.long)
    for i, row in enumerate(batch):
        end = len(row["input_ids"])
        ids_BT[i, :end] = torch.tensor(row["input_ids"])
        labels_BT[i, :end] = torch.tensor(row["labels"])
        mask_BT[i, :end] = 1
    return {"input_ids": ids_BT, "labels": labels_BT, "attention_mask": mask_BT}


def _columns(rows: list[Row]) -> list[Row]:
    return [{"input_ids": row["input_ids"], "labels": row["labels"]} for row in rows]
