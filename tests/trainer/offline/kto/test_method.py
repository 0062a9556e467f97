"""kto: TRL's loss on our rows is the paper's; held-out answers are separated by their rewards."""

import math
import random
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM
from trl.trainer.kto_config import KTOConfig

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit.schemas.examples import Labelled
from plaudit.schemas.recipe import KtoRecipe
from plaudit_trainer.offline.implicit_reward import collated
from plaudit_trainer.offline.kto.method import Kto, KtoTrainer, with_mismatched
from plaudit_trainer.offline.kto.ranking import separation

BETA, GOOD, BAD = 0.3, 1.0, 1.5
ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt_ids": [5, 6], "completion_ids": [7, 8, 9], "label": True},
    {"id": "b", "prompt_ids": [10], "completion_ids": [11], "label": False},
    {"id": "c", "prompt_ids": [12, 13, 14], "completion_ids": [15, 16], "label": False},
    {"id": "d", "prompt_ids": [17], "completion_ids": [18, 19, 20, 21], "label": True},
]


@pytest.fixture
def trainer(tmp_path, model_dir, tokenizer):
    """Its policy has moved away from the reference."""
    config = KTOConfig(
        str(tmp_path), use_cpu=True, report_to=[], bf16=False, gradient_checkpointing=False,
        max_length=None, beta=BETA, desirable_weight=GOOD, undesirable_weight=BAD,
        per_device_train_batch_size=4,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(model_dir)
    made = KtoTrainer(
        model=model, args=config, processing_class=tokenizer,
        train_dataset=Dataset.from_list(with_mismatched(ROWS, 4, 0)),
    )  # fmt: skip
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return made


def log_ratio(trainer, prompt: list[int], answer: list[int]) -> float:
    """In float64, one answer at a time."""
    ids, values = [*prompt, *answer], []
    for model in (trainer.model, trainer.ref_model):
        logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        values.append(sum(logits[i - 1, ids[i]].item() for i in range(len(prompt), len(ids))))
    return values[0] - values[1]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_the_loss_is_that_of_the_paper(trainer):
    rows = with_mismatched(ROWS, 4, 0)
    loss = trainer.compute_loss(trainer.model, collated(trainer, rows))
    kls = [log_ratio(trainer, row["prompt_ids"], row["KL_completion_ids"]) for row in rows]
    kl = max(0.0, sum(kls) / len(kls))
    losses = []
    for row in rows:
        ratio = log_ratio(trainer, row["prompt_ids"], row["completion_ids"])
        value = sigmoid(BETA * (ratio - kl)) if row["label"] else sigmoid(BETA * (kl - ratio))
        losses.append((GOOD if row["label"] else BAD) * (1 - value))
    assert loss.item() == pytest.approx(sum(losses) / len(losses), abs=1e-6)


def test_each_answer_is_mismatched_within_its_batch():
    rows = [{"id": i, "completion_ids": [i]} for i in range(10)]
    mismatched = with_mismatched(rows, 4, seed=3)
    assert sorted(row["id"] for row in mismatched) == list(range(10))
    assert [row["id"] for row in mismatched] != list(range(10))
    for start in (0, 4, 8):
        batch = mismatched[start : start + 4]
        assert {row["KL_completion_ids"][0] for row in batch} == {row["id"] for row in batch}
        assert all(row["KL_completion_ids"] != row["completion_ids"] for row in batch)


def test_separation_is_the_area_under_the_roc_curve():
    rng = random.Random(0)
    labels = [rng.random() < 0.3 for _ in range(60)]
    rewards = [rng.choice([-1.0, 0.0, 0.5, 2.0]) for _ in labels]
    found = separation(rewards, labels)
    pairs = [
        1.0 if g > b else 0.5 if g == b else 0.0
        for g, is_good in zip(rewards, labels, strict=True)
        for b, is_bad in zip(rewards, labels, strict=True)
        if is_good and not is_bad
    ]
    area = sum(pairs) / len(pairs)
    for label in (True, False):
        values = [v for v, one in zip(found, labels, strict=True) if one == label]
        assert sum(values) / len(values) == pytest.approx(area)


def test_it_is_evaluated_by_the_separation_of_implicit_rewards(trainer):
    ratios = [log_ratio(trainer, row["prompt_ids"], row["completion_ids"]) for row in ROWS]
    expected = separation(ratios, [row["label"] for row in ROWS])
    assert list(Kto().evaluate(trainer, ROWS).by_row.values()) == expected
    trainer.model.load_state_dict(trainer.ref_model.state_dict())
    assert set(Kto().evaluate(trainer, ROWS).by_row.values()) == {0.5}


def test_held_out_answers_of_one_label_are_refused(tokenizer):
    prompt = [Message(role="user", content="2+2?")]
    rows = [Labelled(id=str(i), prompt=prompt, completion="4", label=True) for i in range(2)]
    recipe = KtoRecipe.model_validate({"name": "test", "method": {"name": "kto"}})
    assert len(Kto().rows(recipe, tokenizer, rows, "data.train")) == 2
    with pytest.raises(ConfigError, match="every answer is labelled True"):
        Kto().rows(recipe, tokenizer, rows, "data.eval")
