"""Examples for offline training, read from Plaudit's own JSONL files."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit.schemas.common import Contract
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import DataRecipe

Example = TypeVar("Example", bound=Contract)


def load_conversations(recipe: DataRecipe, setting: str, path_text: str) -> list[Conversation]:
    """Of the file that `setting` names. Raises ConfigError on anything unusable."""
    return _load(Conversation, recipe, setting, path_text)


def load_preferences(recipe: DataRecipe, setting: str, path_text: str) -> list[Preference]:
    """As `load_conversations`."""
    return _load(Preference, recipe, setting, path_text)


def load_labelled(recipe: DataRecipe, setting: str, path_text: str) -> list[Labelled]:
    """As `load_conversations`."""
    return _load(Labelled, recipe, setting, path_text)


def _load(kind: type[Example], recipe: DataRecipe, setting: str, path_text: str) -> list[Example]:
    path = Path(path_text)
    if not path.is_file():
        raise ConfigError(f"{setting} = {path_text!r}: no such file.", fix="give a JSONL file")
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(kind.model_validate(json.loads(line)))
        except (json.JSONDecodeError, ValidationError) as error:
            raise ConfigError(
                f"{setting} = {path_text!r}, line {number}: {error}.", fix="mend that line"
            ) from error
    return found[: recipe.max_rows]
