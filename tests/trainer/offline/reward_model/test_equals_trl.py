"""Where TRL's reward trainer can do the same, ours gives the same loss and gradients."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification
from trl.trainer.reward_trainer import RewardTrainer

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Preference
from plaudit.schemas.recipe import RewardModelRecipe
from plaudit_trainer.offline.arguments import training_arguments
from plaudit_trainer.offline.reward_model.method import RewardModel

ANSWERS = ["four", "4", "It is four, I think.", "no", "seven", "it depends"]
PAIRS = [
    Preference(
        id=str(i),
        prompt=[Message(role="user", content=f"2 + {i}?")],
        chosen=ANSWERS[i],
        rejected=ANSWERS[i + 1],
        margin=i / 4,
    )
    for i in range(5)
]


@pytest.fixture
def trainer(model_dir: Path, tokenizer, tmp_path: Path):
    def make(use_margin: bool) -> Any:
        recipe = RewardModelRecipe.model_validate(
            {
                "name": "rm",
                "model": {"path": str(model_dir)},
                "method": {"name": "rm", "batch_size": 5, "use_margin": use_margin},
            }
        )
        method = RewardModel()
        rows = method.rows(recipe, tokenizer, PAIRS, "data.train")
        arguments = training_arguments(recipe, tmp_path, has_gpu=False, num_processes=1)
        model = method.load_model(recipe)
        return method.trainer(recipe, model, tokenizer, rows, arguments)

    return make


def of_trl(ours: Any, model_dir: Path, folder: Path) -> Any:
    """A classifier with the same weights."""
    weights = load_file(model_dir / "model.safetensors") | {"score.weight": ours.model.score.weight}
    del weights["lm_head.weight"]
    config = (model_dir / "config.json").read_text()
    folder.mkdir()
    (folder / "config.json").write_text(config)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)


@pytest.mark.parametrize("use_margin", [False, True])
def test_loss_and_gradients(trainer, model_dir: Path, tmp_path: Path, use_margin: bool) -> None:
    ours = trainer(use_margin)
    theirs = RewardTrainer(
        model=of_trl(ours, model_dir, tmp_path / "classifier"),
        args=ours.args,
        processing_class=ours.processing_class,
        train_dataset=ours.train_dataset,
    )
    rows = list(ours.train_dataset)
    losses = []
    for one in (ours, theirs):
        batch = one.data_collator(rows)
        losses.append(one.compute_loss(one.model, batch))
        losses[-1].backward()
    assert losses[0].item() == pytest.approx(losses[1].item(), abs=1e-5)
    for ours_, theirs_ in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        torch.testing.assert_close(ours_.grad, theirs_.grad, atol=1e-5, rtol=1e-4)
    assert ours.model.score.weight.grad.abs().max() > 1e-3
