"""Everything about a run that can be found wrong before anything is started or written."""

import asyncio
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plaudit.config.names import nearest
from plaudit.config.recipe import dump_recipe
from plaudit.errors import ConfigError
from plaudit.local.environment import Environment, port_setting
from plaudit.local.interrupts import Interrupts
from plaudit.local.ports import PortUse, check_ports_free
from plaudit.local.redis import RedisReady, local_redis
from plaudit.local.reward_models import models_env
from plaudit.local.services import REWARD_API, Topology
from plaudit.local.status import known_rewards, unreachable
from plaudit.local.supervisor import Supervisor
from plaudit.local.tool import run_tool
from plaudit.mixing import Mixer
from plaudit.reward_pools import CODE_REWARDS, DEFAULT_MODEL, MODEL_REWARDS
from plaudit.schemas.mixing import Mixed
from plaudit.schemas.recipe import Recipe, RunRecipe
from plaudit.user_code import UserReward


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `ok` is None when it could not be checked."""

    name: str
    ok: bool | None
    detail: str


def used_rewards(recipe: Recipe) -> set[str]:
    """Names of all that train or evaluate."""
    return {reward.name for reward in recipe.rewards} | set(recipe.eval.reward_by_kind.values())


def needed_services(recipe: Recipe) -> tuple[str, ...]:
    """The services that the recipe's groups pass."""
    rewards = used_rewards(recipe)
    wanted = {
        "rollout": True,
        "reward": bool(rewards),
        "sandbox": bool(CODE_REWARDS & rewards),
        "judge": recipe.judge is not None,
    }
    return tuple(service for service, needed in wanted.items() if needed)


def local_services(recipe: Recipe, environment: Environment) -> tuple[str, ...]:
    """Those of them that are started here: the user may run others elsewhere."""
    needed = needed_services(recipe)
    return tuple(service for service in needed if not environment.external_url(service))


def services_elsewhere(
    recipe: Recipe, environment: Environment, here: Collection[str]
) -> tuple[str, ...]:
    """Those that must run already. Where the reward service is named and no sandbox is, that is
    for the reward service to reach, and maybe for nobody else."""
    hidden = environment.external_url("reward") and not environment.external_url("sandbox")
    return tuple(
        service
        for service in needed_services(recipe)
        if service not in here and not (hidden and service == "sandbox")
    )


def check_reward_models(recipe: Recipe, environment: Environment) -> None:
    """Raises ConfigError where workers of this machine would not know a model that is named."""
    configured = environment.reward_models
    known = None if configured is None else configured | recipe.reward_models.keys()
    params: dict[str, dict[str, Any]] = {name: {} for name in used_rewards(recipe)}
    params |= {reward.name: reward.params for reward in recipe.rewards}
    for reward in sorted(MODEL_REWARDS & params.keys()):
        model = params[reward].get("model", DEFAULT_MODEL)
        if known is not None and model not in known:
            raise ConfigError(
                f"reward {reward}: model {model!r} is not configured; "
                f"there are {', '.join(sorted(known)) or 'none'}.",
                fix=f"add a table [reward.models.{model}] to plaudit.toml (docs/reward.md) or "
                f"[reward_models.{model}] to the recipe, or set PLAUDIT_REWARD_URL to a service "
                "that has it",
            )


def check_models_elsewhere(recipe: Recipe, here: Collection[str]) -> Check | None:
    """Tables of the recipe reach only a reward service that this command starts."""
    if not recipe.reward_models or REWARD_API in here:
        return None
    names = ", ".join(sorted(recipe.reward_models))
    return Check(
        "reward models",
        None,
        f"[reward_models] of the recipe ({names}) is not used: the reward service runs elsewhere, "
        "with the models of its own plaudit.toml",
    )


def check_mixing(recipe: Recipe) -> Check:
    """What each reward weighs in the end, and what happens to it before."""
    mixer = Mixer.of(recipe.mixed(), recipe.mixing)
    parts = [_part(name, one, mixer.weights[name]) for name, one in recipe.mixed().items()]
    learned = "; learned from there" if recipe.mixing.learnable else ""
    return Check("mixing", True, ", ".join(parts) + learned)


def _part(name: str, one: Mixed, weight: float) -> str:
    steps = [f"{weight:.4g} x {name}"]
    if one.gate is not None:
        steps.append(f"if {one.gate.reward} >= {one.gate.at_least:g}")
    if one.scale != "none":
        steps.append(f"z-score over the {one.scale}")
    if one.clip is not None:
        steps.append(f"clipped to [{one.clip[0]:g}, {one.clip[1]:g}]")
    return " ".join(steps)


async def check_ports(environment: Environment, topology: Topology | None) -> None:
    """Raises ConfigError that names every port in use, its setting and its owner."""
    port = environment.port("trainer")
    uses = [PortUse(port, "the run's status", port_setting("trainer"))]
    if topology is not None:
        uses += topology.ports()
    await asyncio.to_thread(check_ports_free, uses)


async def check_reachable(
    environment: Environment, services: tuple[str, ...], redis_url: str | None
) -> list[Check]:
    """The services that are not started here, and the Redis."""
    problems = await unreachable(environment, services)
    checks = [
        Check(f"service {service}", service not in problems, problems.get(service, "answers"))
        for service in services
    ]
    if redis_url is not None:
        reason = await RedisReady(redis_url)()
        checks.append(Check("Redis", reason is None, reason or "answers"))
    return checks


def require_reachable(checks: list[Check]) -> None:
    """Raises ConfigError that lists what does not answer."""
    missing = [check for check in checks if check.ok is False]
    if missing:
        lines = "\n".join(f"  {check.name}: {check.detail}" for check in missing)
        raise ConfigError(
            f"not everything that the run needs is there:\n{lines}\n",
            fix="start it in another terminal (plaudit up), or let this command do it (--up)",
        )


async def check_files(
    recipe: RunRecipe,
    environment: Environment,
    interrupts: Interrupts,
    on_line: Callable[[str, str], None],
) -> Check:
    """Model, rows, kinds and prompt lengths. Raises ConfigError for the first that is wrong."""
    with tempfile.TemporaryDirectory(prefix="plaudit-check-") as directory:
        path = Path(directory) / "recipe.toml"
        path.write_text(dump_recipe(recipe), encoding="utf-8")
        argv = environment.command("trainer", "check", "--recipe", str(path))
        found = await run_tool(
            "check", argv, interrupts, log_dir=environment.cache_dir / "logs", on_line=on_line
        )
    return Check("files", True, ", ".join(f"{key} {value}" for key, value in found.items()))


async def ask_reward_names(
    recipe: Recipe, environment: Environment, interrupts: Interrupts
) -> Check:
    """`check_reward_names` where nothing runs: starts the reward API for a moment."""
    with tempfile.TemporaryDirectory(prefix="plaudit-check-") as directory:
        redis = local_redis(Path(directory)) if environment.redis_url is None else None
        models = models_env(recipe, environment, Path(directory))
        specs = Topology(environment, (REWARD_API,), redis, extra_env=models).specs()
        wanted = [spec for spec in specs if spec.name in (REWARD_API, "redis")]
        supervisor = Supervisor(wanted, log_dir=Path(directory))

        async def ask() -> Check:
            try:
                await supervisor.wait_ready()
                return await check_reward_names(recipe, environment)
            finally:
                supervisor.request_stop()

        asking = asyncio.create_task(ask())
        try:
            await interrupts.run(supervisor)
        finally:
            if not asking.done():
                asking.cancel()
        return await asking


async def check_reward_names(recipe: Recipe, environment: Environment) -> Check:
    """Asks the reward service. Raises ConfigError with the nearest name that it knows.

    Rewards in files are not its to know; `check_user_code` has looked at them.
    """
    used = [(f"rewards.{i}.name", reward.name) for i, reward in enumerate(recipe.rewards)]
    by_kind = recipe.eval.reward_by_kind
    used += [(f"eval.reward_by_kind.{kind}", name) for kind, name in by_kind.items()]
    known = await known_rewards(environment)
    if known is None:
        return Check("reward names", None, "not checked: the reward service does not answer")
    for setting, name in used:
        if name not in known and UserReward.of(name) is None:
            near = nearest(name, known)
            raise ConfigError(
                f"{setting} = {name!r}: the reward service has no such reward.",
                fix=(f"did you mean {near!r}? " if near else "")
                + f"it has: {', '.join(sorted(known))}",
            )
        if reason := known.get(name):
            raise ConfigError(
                f"{setting} = {name!r}: not available: {reason}.",
                fix="correct the package that it comes from, where the reward service runs",
            )
    return Check("reward names", True, ", ".join(dict.fromkeys(name for _, name in used)) or "none")
