"""sft: cross-entropy on the assistant's tokens, and a held-out log-likelihood."""

from typing import cast

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation
from plaudit.schemas.recipe import SftRecipe
from plaudit_trainer.offline.sft.method import Sft, SftTrainer

RECIPE = SftRecipe.model_validate(
    {"name": "test", "model": {"max_model_tokens": 128}, "method": {"name": "sft"}}
)
TALKS = [
    Conversation(
        id=str(i),
        messages=[
            Message(role="user", content="q" * i),
            Message(role="assistant", content="a" * (2 * i)),
            Message(role="user", content="again"),
            Message(role="assistant", content="b" * (7 - i)),
        ],
    )
    for i in range(1, 5)
]


@pytest.fixture
def trainer(tmp_path, model_dir, tokenizer):
    rows = Sft().rows(RECIPE, tokenizer, TALKS, "data.train")
    config = SFTConfig(
        str(tmp_path), use_cpu=True, report_to=[], bf16=False, gradient_checkpointing=False,
        max_length=None, per_device_eval_batch_size=3,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(model_dir)
    columns = [{"input_ids": row["input_ids"], "labels": row["labels"]} for row in rows]
    return SftTrainer(
        model=model, args=config, processing_class=tokenizer,
        train_dataset=Dataset.from_list(columns),
    )  # fmt: skip


def log_likelihoods(model, rows) -> list[list[float]]:
    """Of each learned token, in float64, one row at a time."""
    found = []
    for row in rows:
        ids = torch.tensor([row["input_ids"]])
        logits = model(ids).logits[0].double().log_softmax(-1)
        found.append(
            [
                logits[i - 1, label].item()
                for i, label in enumerate(row["labels"])
                if i > 0 and label != -100
            ]
        )
    return found


def test_the_loss_is_the_mean_over_the_assistants_tokens(trainer, tokenizer):
    rows = Sft().rows(RECIPE, tokenizer, TALKS, "data.train")
    assert sum(label != -100 for label in rows[0]["labels"]) == 2 + 1 + 6 + 1
    loss = trainer.compute_loss(trainer.model, trainer.data_collator(rows))
    values = [value for one in log_likelihoods(trainer.model, rows) for value in one]
    assert loss.item() == pytest.approx(-sum(values) / len(values), abs=1e-6)


def test_it_is_evaluated_by_the_mean_log_likelihood_of_each_conversation(trainer, tokenizer):
    rows = Sft().rows(RECIPE, tokenizer, TALKS, "data.eval")
    found = Sft().evaluate(trainer, rows).by_row
    expected = {
        row["id"]: sum(values) / len(values)
        for row, values in zip(rows, log_likelihoods(trainer.model, rows), strict=True)
    }
    assert found == pytest.approx(expected, abs=1e-6)


def test_it_is_the_loss_of_trl_on_a_template_that_marks_its_generations(
    tmp_path, model_dir, tokenizer, trainer
):
    import copy

    marking = copy.deepcopy(tokenizer)
    marking.chat_template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>{% generation %}"
        "{{ m.content }}<|end|>{% endgeneration %}{% else %}<|{{ m.role }}|>{{ m.content }}<|end|>"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    config = SFTConfig(
        str(tmp_path), use_cpu=True, report_to=[], bf16=False, gradient_checkpointing=False,
        assistant_only_loss=True,
    )  # fmt: skip
    talks = [{"messages": [m.model_dump() for m in talk.messages]} for talk in TALKS]
    model = AutoModelForCausalLM.from_pretrained(model_dir)
    stock = SFTTrainer(
        model=model, args=config, processing_class=marking, train_dataset=Dataset.from_list(talks)
    )
    theirs = stock.compute_loss(model, stock.data_collator([*cast(Dataset, stock.train_dataset)]))
    rows = Sft().rows(RECIPE, tokenizer, TALKS, "data.train")
    ours = trainer.compute_loss(trainer.model, trainer.data_collator(rows))
    theirs.backward()
    ours.backward()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    for one, other in zip(trainer.model.parameters(), model.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        assert torch.allclose(one.grad, other.grad, atol=1e-6)
