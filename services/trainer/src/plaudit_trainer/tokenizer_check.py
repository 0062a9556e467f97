"""Whether models that read the policy's tokens know them, as far as that can be told here."""

from collections.abc import Iterator
from pathlib import Path

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.data.rendering import load_tokenizer


def check_tokenizers(recipe: Recipe) -> None:
    """Raises ConfigError naming the setting. Models that are not on this machine are not asked."""
    own = None
    for setting, path in _readers(recipe):
        if not (Path(path) / "tokenizer_config.json").is_file():
            continue
        own = own or load_tokenizer(recipe.model.path).get_vocab()
        if load_tokenizer(path).get_vocab() != own:
            raise ConfigError(
                f"{setting} = {path!r}: another tokenizer than model.path = "
                f"{recipe.model.path!r} has; it would read other tokens than were generated.",
                fix="name a model that was trained from the same language model",
            )


def _readers(recipe: Recipe) -> Iterator[tuple[str, str]]:
    critic = recipe.method.critic
    if critic is not None and critic.path is not None:
        yield "method.critic.path", critic.path
    for name, table in recipe.reward_models.items():
        if table.get("kind") == "unit":
            yield f"reward_models.{name}.path", str(table.get("path"))
