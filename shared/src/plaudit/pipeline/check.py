"""What can be found wrong before any stage is started."""

from collections.abc import Callable, Iterator
from pathlib import Path

from plaudit.config.recipe import load_any_recipe
from plaudit.errors import ConfigError, PlauditError
from plaudit.local.environment import PORTS, Environment
from plaudit.local.interrupts import Interrupts
from plaudit.pipeline.conduct import OnLine, run_command
from plaudit.pipeline.references import Place, references
from plaudit.pipeline.stage_command import StageOptions, dry_run_command, overrides, stage_env
from plaudit.schemas.pipeline import PipelineFile, Stage
from plaudit.schemas.recipe import RunRecipe


def check_stages(pipeline: PipelineFile, place: Place, *, up: bool) -> None:
    """Every recipe with its changes is one. Raises ConfigError that names stage and setting."""
    for stage in pipeline.stages:
        _recipe(stage, place)
        if not up and (names := sorted(_of_services(stage))):
            raise ConfigError(
                f"stage {stage.name!r}: env.{names[0]} is for services that this command starts.",
                fix="add --up, or set it where the services run and leave it out here",
            )


async def dry_run(
    pipeline: PipelineFile, options: StageOptions, interrupts: Interrupts, on_line: OnLine
) -> dict[str, PlauditError | None]:
    """`plaudit train --dry-run` of each stage; what failed, by stage.

    A model that an earlier stage will train is checked as the model that stage starts from.
    """
    models = _starting_models(pipeline)
    found: dict[str, PlauditError | None] = {}
    log_dir = Environment().cache_dir / "logs"
    for stage in pipeline.stages:
        if any(output == "run" for _, output in references(stage.set)):
            on_line(stage.name, "?    not checked: it reads files that an earlier stage will write")
            found[stage.name] = None
            continue
        argv = dry_run_command(stage, models, options)
        try:
            env = stage_env(stage, models)
            await run_command(stage.name, argv, env, log_dir, interrupts, on_line)
            found[stage.name] = None
        except PlauditError as error:
            found[stage.name] = error
    return found


def _recipe(stage: Stage, place: Place) -> RunRecipe:
    try:
        return load_any_recipe(Path(stage.recipe), overrides(stage, place))
    except ConfigError as error:
        raise ConfigError(f"stage {stage.name!r}: {error.message}", fix=error.fix) from None


def _of_services(stage: Stage) -> Iterator[str]:
    """Addresses of services are for the stage itself, too."""
    prefixes = tuple(f"PLAUDIT_{service.upper()}_" for service in PORTS if service != "trainer")
    return (name for name in stage.env if name.startswith(prefixes) and not name.endswith("_URL"))


def _starting_models(pipeline: PipelineFile) -> Callable[[str, str], str]:
    models: dict[str, str] = {}

    def place(stage: str, output: str) -> str:
        return models[stage]

    for stage in pipeline.stages:
        is_known = all(output != "run" for _, output in references(stage.set))
        recipe = _recipe(stage, place if is_known else lambda stage, output: "unknown/yet")
        models[stage.name] = _absolute(recipe.model.path, Path(stage.recipe).parent)
    return place


def _absolute(model: str, base: Path) -> str:
    """Another recipe's directory must not change what a relative path means."""
    places = (Path.cwd() / model, base / model)
    return next((str(place) for place in places if place.is_dir()), model)
