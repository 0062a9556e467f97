"""Where data sets and templates are: from the current directory, or beside the recipe."""

from pathlib import Path

from plaudit.data_names import is_hub_name, is_template_file
from plaudit.errors import ConfigError
from plaudit.schemas.recipe import DataRecipe, SourceRecipe

SEED = "seed"
SEEDS = {SEED: "demo", "seed-slate": "slate"}
"""What may stand for a path: a tiny model and its task, which the trainer builds, by its name."""


def with_absolute_paths(data: DataRecipe, base: Path) -> DataRecipe:
    """Raises ConfigError naming what is not there."""
    sets = {"train": data.train, "eval": data.eval}
    templates = {"system_prompt": data.system_prompt, "prompt_template": data.prompt_template}
    changes = {
        name: data_path(f"data.{name}", value, base)
        for name, value in sets.items()
        if value is not None and value not in SEEDS
    }
    changes |= {
        name: file_path(f"data.{name}", text, base)
        for name, text in templates.items()
        if text is not None and is_template_file(text)
    }
    sources = [_with_absolute_path(i, one, base) for i, one in enumerate(data.sources)]
    return data.model_copy(update={**changes, "sources": sources})


def data_path(setting: str, value: str, base: Path) -> str:
    """A file, a directory, or what looks like a name on the hub, which only reading checks."""
    found = existing(value, base)
    if found is None and is_hub_name(value):
        return value
    if found is None:
        raise ConfigError(
            f"{setting} = {value!r}: no such file in {Path.cwd()} or {base.absolute()}.",
            fix=f"give a file, a directory or owner/name on the hub: --set {setting}=PATH",
        )
    return str(found)


def file_path(setting: str, value: str, base: Path) -> str:
    found = existing(value, base)
    if found is None or not found.is_file():
        raise ConfigError(
            f"{setting} = {value!r}: no such file in {Path.cwd()} or {base.absolute()}.",
            fix=f"give the path of a file: --set {setting}=PATH",
        )
    return str(found)


def existing(value: str, base: Path) -> Path | None:
    path = Path(value).expanduser()
    for candidate in (Path.cwd() / path, base.absolute() / path):
        if candidate.exists():
            return candidate
    return None


def _with_absolute_path(index: int, source: SourceRecipe, base: Path) -> SourceRecipe:
    path = data_path(f"data.sources.{index}.path", source.path, base)
    return source.model_copy(update={"path": path})
