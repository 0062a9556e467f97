"""Models that read the policy's tokens have its tokenizer, or the recipe is refused."""

from pathlib import Path
from typing import Any

import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.seed.tokenizer import make_tokenizer
from plaudit_trainer.tokenizer_check import check_tokenizers


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories `policy`, `same` and `other`, with tokenizers alone."""
    root = tmp_path_factory.mktemp("tokenizers")
    for name, text in (("policy", "one two"), ("same", "one two"), ("other", "cats and dogs")):
        make_tokenizer([text] * 3, vocabulary_size=264).save_pretrained(root / name)
    return root


def recipe(models: Path, critic: str | None = None, **reward_models: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "r",
            "model": {"path": str(models / "policy")},
            "rewards": [{"name": "unit_reward_model"}],
            "method": {"name": "unit_ppo", "critic": {"path": critic}},
            "reward_models": reward_models,
        }
    )


def table(kind: str, path: Path) -> dict[str, str]:
    return {"kind": kind, "path": str(path)}


def test_the_same_tokenizer_is_fine(models: Path) -> None:
    check_tokenizers(recipe(models))
    unit = table("unit", models / "same")
    check_tokenizers(recipe(models, critic=str(models / "same"), default=unit))


def test_another_one_is_refused_by_the_setting_that_names_it(models: Path) -> None:
    other = models / "other"
    with pytest.raises(ConfigError, match=r"^method\.critic\.path = '.*other': another tokenizer"):
        check_tokenizers(recipe(models, critic=str(other)))
    with pytest.raises(ConfigError, match=r"^reward_models\.mine\.path = '.*other': another"):
        check_tokenizers(recipe(models, mine=table("unit", other)))


def test_models_that_read_texts_or_are_elsewhere_are_not_asked(models: Path) -> None:
    check_tokenizers(
        recipe(
            models,
            critic="their/critic",
            a=table("classifier", models / "other"),
            b=table("unit", models / "not-trained-yet"),
        )
    )
