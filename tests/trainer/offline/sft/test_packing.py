"""Conversations in one row do not see each other, and count as they do alone."""

import random
from collections import Counter

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM
from trl.trainer.sft_config import SFTConfig

from plaudit_trainer.offline.sft.method import SftTrainer
from plaudit_trainer.offline.sft.packing import pack


def make_rows(lengths: list[int]) -> list[dict]:
    rng = random.Random(0)
    rows = []
    for length in lengths:
        ids = [rng.randrange(5, 250) for _ in range(length)]
        labels = [-100 if rng.random() < 0.4 else token for token in ids]
        rows.append({"input_ids": ids, "labels": labels})
    return rows


def test_every_conversation_is_packed_whole_and_once():
    rows = make_rows([random.Random(i).randint(1, 30) for i in range(60)])
    packed = pack(rows, 30)
    assert max(len(one["input_ids"]) for one in packed) <= 30
    assert len(packed) < 40
    found: Counter[tuple] = Counter()
    for one in packed:
        assert sum(one["seq_lengths"]) == len(one["input_ids"]) == len(one["labels"])
        start = 0
        for length in one["seq_lengths"]:
            end = start + length
            found[tuple(one["input_ids"][start:end]), tuple(one["labels"][start:end])] += 1
            start = end
    assert found == Counter((tuple(r["input_ids"]), tuple(r["labels"])) for r in rows)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_loss_and_gradient_are_those_of_the_conversations_alone(
    tmp_path, model_dir, tokenizer, attention
):
    rows = make_rows([3, 17, 9, 1, 12, 20])
    packed = pack(rows, 24)
    assert len(packed) < len(rows)
    alone, alone_gradient = loss_of(tmp_path, model_dir, tokenizer, attention, rows, packing=False)
    loss, gradient = loss_of(tmp_path, model_dir, tokenizer, attention, packed, packing=True)
    assert loss == pytest.approx(alone, rel=1e-6)
    assert torch.allclose(gradient, alone_gradient, atol=1e-6)


def loss_of(tmp_path, model_dir, tokenizer, attention, rows, *, packing):
    """Of all rows in one pass, by the trainer's own collator."""
    model = AutoModelForCausalLM.from_pretrained(model_dir, attn_implementation=attention)
    config = SFTConfig(
        str(tmp_path), packing=packing, use_cpu=True, report_to=[], bf16=False,
        gradient_checkpointing=False, max_length=None,
    )  # fmt: skip
    trainer = SftTrainer(
        model=model, args=config, processing_class=tokenizer, train_dataset=Dataset.from_list(rows)
    )
    loss = trainer.compute_loss(model, trainer.data_collator(rows))
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in model.parameters()])
