"""Rewards of installed packages: entry points of the group `plaudit.rewards`."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from plaudit.schemas.reward import RewardInfo
from plaudit.telemetry import get_logger
from plaudit_reward.reward import Reward
from plaudit_reward.user_code.rewards import AnyParams, in_process

GROUP = "plaudit.rewards"
MAX_REASON_CHARS = 500

log = get_logger(__name__)


@dataclass(frozen=True)
class Unavailable:
    """An entry point that gives no reward, and why not."""

    name: str
    source: str
    reason: str

    def info(self) -> RewardInfo:
        return RewardInfo(
            name=self.name,
            pool="rules",
            description=f"An entry point of {self.source}.",
            source=self.source,
            params_schema={},
            available=False,
            reason=self.reason,
        )


def rewards_of_packages(
    built_in: Mapping[str, Reward], points: Iterable[EntryPoint] | None = None
) -> tuple[list[Reward], list[Unavailable]]:
    """Those of all installed packages. No entry point can keep the service from starting."""
    found: dict[str, Reward] = {}
    unavailable = []
    for point in entry_points(group=GROUP) if points is None else points:
        try:
            reward = _reward(point, built_in)
            _refuse_clash(reward, point, {**built_in, **found})
        except (Exception, SystemExit) as error:  # why: a package's import may raise anything
            reason = f"{type(error).__name__}: {error}"[:MAX_REASON_CHARS]
            log.warning("reward_not_available", entry_point=point.name, reason=reason)
            name = f"{point.name} ({_package(point)})" if point.name in built_in else point.name
            unavailable.append(Unavailable(name, _package(point), reason))
        else:
            found[reward.name] = reward
    return list(found.values()), unavailable


def _reward(point: EntryPoint, built_in: Mapping[str, Reward]) -> Reward:
    """With a function that runs in a child process of the worker."""
    loaded: Any = point.load()
    function = in_process(point.value, built_in)
    if isinstance(loaded, Reward):
        return replace(loaded, function=function)
    if not callable(loaded):
        raise TypeError(f"{point.value} is neither a function nor a @reward")
    return Reward(
        name=point.name,
        pool="rules",
        description=inspect.getdoc(loaded) or f"The function {point.value}.",
        source=_package(point),
        params=AnyParams,
        vectors=(),
        function=function,
    )


def _refuse_clash(reward: Reward, point: EntryPoint, others: Mapping[str, Reward]) -> None:
    if reward.name in others:
        raise ValueError(
            f"{point.value} of {_package(point)} has the name of the reward {reward.name!r} of "
            f"{others[reward.name].source[:80]}; give it another"
        )


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
