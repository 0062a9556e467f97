"""A tiny model with a chat template, and an offline run in this process."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from plaudit.config.recipe import dump_recipe
from plaudit.schemas.common import Contract
from plaudit.schemas.recipe import OFFLINE_RECIPES
from plaudit_trainer.run_dir import RunDir


@pytest.fixture(autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer():
    """The seed model's, without merges: a token is a byte or a special token."""
    from plaudit_trainer.seed.tokenizer import make_tokenizer

    return make_tokenizer([""], vocabulary_size=261)


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, tokenizer) -> Path:
    """A random Qwen2."""
    import torch

    from plaudit_trainer.seed.model import make_model
    from plaudit_trainer.seed.settings import SeedSettings

    torch.manual_seed(0)
    settings = SeedSettings(vocabulary_size=261, hidden_size=32, num_layers=2, num_heads=2)
    path = tmp_path_factory.mktemp("tiny")
    make_model(settings, tokenizer).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def train(tmp_path: Path, model_dir: Path) -> Callable[..., Any]:
    """`trainer, run = train("rm", rows, eval_rows, steps=3, learning_rate=...)`."""

    def call(
        name: str,
        rows: Sequence[Contract],
        held_out: Sequence[Contract],
        steps: int,
        lora: dict[str, Any] | None = None,
        **method: Any,
    ) -> tuple[Any, RunDir]:
        from plaudit_trainer.learner.checkpoint import CheckpointStore
        from plaudit_trainer.offline.main import build, follow
        from plaudit_trainer.tracking import Tracker

        document = {
            "name": name,
            "model": {"path": str(model_dir), "max_model_tokens": 128, "lora": lora},
            "method": {"name": name, **method},
            "data": {"train": str(tmp_path / "train.jsonl"), "eval": str(tmp_path / "eval.jsonl")},
            "budget": {"steps": steps},
            "learner": {"num_threads": 1},
        }
        recipe = OFFLINE_RECIPES[name].model_validate(document)
        for file, examples in (("train.jsonl", rows), ("eval.jsonl", held_out)):
            (tmp_path / file).write_text("".join(e.model_dump_json() + "\n" for e in examples))
        run = tmp_path / "run"
        run.mkdir()
        (run / "recipe.toml").write_text(dump_recipe(recipe))
        (run / "run.json").write_text(json.dumps({"run_id": "r"}))
        hooks = build(RunDir(run), recipe, CheckpointStore(run / "c", keep=1), Tracker())
        follow(hooks, None)
        return hooks.trainer, hooks.run_dir

    return call
