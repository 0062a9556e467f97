"""Reading a pipeline file: found, parsed, and its references followed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from plaudit.config.names import describe_errors
from plaudit.config.toml import dump_toml, read_toml
from plaudit.errors import ConfigError
from plaudit.local.recipes import find_recipe, shipped
from plaudit.pipeline.references import reference_problems
from plaudit.schemas.pipeline import PipelineFile, Stage
from plaudit.telemetry.redact import is_secret_name

_PREFIX = "PLAUDIT_"


def find_pipeline(name: str) -> Path:
    """A file, or the name of a shipped pipeline. Raises ConfigError when it is neither."""
    known = shipped("pipelines")
    if Path(name).is_file():
        return Path(name)
    if name in known:
        return known[name]
    raise ConfigError(
        f"PIPELINE {name!r}: no such file, and no pipeline of that name comes with Plaudit.",
        fix=f"give a TOML file or one of: {', '.join(known) or 'none is installed'}",
    )


def read_pipeline(path: Path) -> PipelineFile:
    """With recipes as absolute paths. Raises ConfigError that lists all that is wrong."""
    try:
        pipeline = PipelineFile.model_validate(read_toml(path, "The pipeline"))
    except ValidationError as error:
        raise _wrong(path, describe_errors(PipelineFile, error)) from None
    if problems := [*reference_problems(pipeline), *_env_problems(pipeline)]:
        raise _wrong(path, problems)
    stages = [_with_recipe_path(stage, path.parent) for stage in pipeline.stages]
    return pipeline.model_copy(update={"stages": stages})


def dump_pipeline(pipeline: PipelineFile) -> str:
    return dump_toml(pipeline.model_dump())


def settings_of(stage: Stage) -> Iterator[tuple[str, Any]]:
    """`set` by dotted names, also where TOML's own dots have made tables of them."""
    yield from _flat(stage.set, "")


def _flat(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _with_recipe_path(stage: Stage, base: Path) -> Stage:
    beside = base / stage.recipe
    try:
        path = beside if beside.is_file() else find_recipe(stage.recipe)
    except ConfigError as error:
        raise ConfigError(f"stage {stage.name!r}: {error.message}", fix=error.fix) from None
    return stage.model_copy(update={"recipe": str(path.absolute())})


def _env_problems(pipeline: PipelineFile) -> Iterator[str]:
    for stage in pipeline.stages:
        for name in stage.env:
            what = f"stage {stage.name!r}: env.{name}"
            if not name.startswith(_PREFIX):
                yield f"{what}: only variables that begin with {_PREFIX} can be set"
            elif is_secret_name(name.lower()):
                yield f"{what}: no keys in a pipeline; set it in the environment of the command"


def _wrong(path: Path, problems: list[str]) -> ConfigError:
    return ConfigError(f"The pipeline {path} is wrong:\n" + "\n".join(f"  {p}" for p in problems))
