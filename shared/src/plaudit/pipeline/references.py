"""`{stage.final}` and `{stage.run}`: what a stage takes from an earlier one."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from plaudit.config.names import unknown_name
from plaudit.schemas.pipeline import PipelineFile, Stage

_REFERENCE = re.compile(r"\{([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\}")
OUTPUTS = ("final", "run")
"""The trained model; the directory of the run."""

Place = Callable[[str, str], str]
"""Stage and output to a path."""


def places_in(directory: Path) -> Place:
    """Of stages whose runs are in a pipeline's directory."""

    def place(stage: str, output: str) -> str:
        path = directory.absolute() / stage
        return str(path if output == "run" else path / output)

    return place


def references(value: Any) -> Iterator[tuple[str, str]]:
    """All (stage, output) in a value, its lists and tables."""
    if isinstance(value, str):
        for match in _REFERENCE.finditer(value):
            yield match[1], match[2]
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from references(item)


def filled(value: Any, place: Place) -> Any:
    """The same value with paths in place of references."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: place(match[1], match[2]), value)
    if isinstance(value, list):
        return [filled(item, place) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, place) for key, item in value.items()}
    return value


def reference_problems(pipeline: PipelineFile) -> list[str]:
    """One line for each reference that cannot be followed. Earlier stages alone can be named, so
    there is no cycle."""
    everywhere = [stage.name for stage in pipeline.stages]
    problems: list[str] = []
    earlier: dict[str, Stage] = {}
    for stage in pipeline.stages:
        if stage.name in earlier:
            problems.append(f"stages: two have the name {stage.name!r}")
        for name, output in references({"set": stage.set, "env": stage.env}):
            what = f"stage {stage.name!r}: {{{name}.{output}}}"
            if output not in OUTPUTS:
                problems.append(unknown_name(what, output, OUTPUTS))
            elif name in earlier:
                if earlier[name].kind == "evaluate" and output == "final":
                    problems.append(f"{what}: the stage {name!r} evaluates and leaves no model")
            elif name in everywhere:
                problems.append(f"{what}: the stage {name!r} does not come before this one")
            else:
                problems.append(unknown_name(what, name, earlier))
        earlier[stage.name] = stage
    return problems
