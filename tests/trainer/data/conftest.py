"""Recipes of online and offline methods over files that a test writes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.recipe import DpoRecipe, KtoRecipe, Recipe, RunRecipe, SftRecipe
from plaudit_trainer.seed.tokenizer import make_tokenizer

KINDS: dict[str, type[RunRecipe]] = {
    "grpo": Recipe,
    "sft": SftRecipe,
    "dpo": DpoRecipe,
    "kto": KtoRecipe,
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """`write(row, row, name="a.jsonl")`: the path of a file with these rows."""

    def write_rows(*rows: Any, name: str = "rows.jsonl") -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return write_rows


@pytest.fixture
def make_recipe() -> Callable[..., RunRecipe]:
    """`make_recipe("sft", train=path, model={...})`: keywords but `model` are of its data."""

    def make(method: str = "grpo", *, model: dict[str, Any] | None = None, **data: Any) -> Any:
        document: dict[str, Any] = {"name": "r", "method": {"name": method}, "model": model or {}}
        if method == "grpo":
            document["rewards"] = [{"name": "accuracy"}]
            document["method"]["max_completion_tokens"] = 8
        return KINDS[method].model_validate(document | {"data": {"eval": None} | data})

    return make


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tokenizer whose tokens are bytes, but for a few."""
    path = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(["What is 1+1? 2"], vocabulary_size=300).save_pretrained(path)
    return str(path)
