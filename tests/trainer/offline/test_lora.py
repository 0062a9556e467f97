"""Adapters in offline methods: only they learn, and `final/` is a plain model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation, Preference

PROMPT = [Message(role="user", content="2 + 2?")]
PAIRS = [Preference(id=str(i), prompt=PROMPT, chosen="4", rejected="no " * i) for i in range(1, 9)]
HEAD = {"score.weight"}


@pytest.mark.parametrize(("method", "head"), [("sft", set()), ("dpo", set()), ("rm", HEAD)])
def test_only_the_targets_of_the_adapter_learn(
    method: str, head: set[str], train: Any, model_dir: Path
) -> None:
    rows: Any = PAIRS if method != "sft" else [conversation(pair) for pair in PAIRS]
    options = {"batch_size": 8, "learning_rate": 1e-2, "lora": {"rank": 4, "alpha": 8.0}}
    trainer, run = train(method, rows, rows, steps=2, **options)
    assert {"lora_" in name or "score." in name for name in trained(trainer.model)} == {True}
    start, final = (load_file(d / "model.safetensors") for d in (model_dir, run.path / "final"))
    assert final.keys() - start.keys() == head
    for name in final.keys() - head:
        assert torch.equal(final[name], start[name]) != ("_proj.weight" in name), name


def trained(model: Any) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def conversation(pair: Preference) -> Conversation:
    answer = Message(role="assistant", content=pair.chosen)
    return Conversation(id=pair.id, messages=[*PROMPT, answer])
