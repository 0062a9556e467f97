"""All rewards, found by looking through `plaudit_reward.rewards`."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from plaudit.config.names import unknown_name
from plaudit.errors import Rejected
from plaudit.schemas.common import Contract
from plaudit.schemas.mixing import Mixed
from plaudit.schemas.reward import RewardInfo, RewardSpec
from plaudit_reward import rewards
from plaudit_reward.reward import Reward


@dataclass(frozen=True)
class Chosen:
    """A reward that a request asks for, with checked parameters."""

    reward: Reward
    params: Contract
    mixed: Mixed


class Registry:
    """Rewards by name."""

    def __init__(self, found: Sequence[Reward]) -> None:
        self.rewards: Mapping[str, Reward] = {one.name: one for one in found}

    def choose(self, specs: Sequence[RewardSpec]) -> list[Chosen]:
        """Raises Rejected for an unknown or repeated name and for wrong parameters."""
        chosen: dict[str, Chosen] = {}
        for index, spec in enumerate(specs):
            where = f"rewards.{index}"
            if spec.name not in self.rewards:
                what = f"{where}.name = {spec.name[:80]!r}"
                raise Rejected(unknown_name(what, spec.name[:80], self.rewards))
            if spec.name in chosen:
                raise Rejected(f"{where}.name: {spec.name!r} is asked for twice.")
            reward = self.rewards[spec.name]
            chosen[spec.name] = Chosen(reward, _checked_params(where, reward, spec), spec)
        return list(chosen.values())

    def describe(self) -> list[RewardInfo]:
        return [
            RewardInfo(
                name=one.name,
                pool=one.pool,
                description=one.description,
                source=one.source,
                params_schema=one.params.model_json_schema(),
            )
            for one in sorted(self.rewards.values(), key=lambda one: one.name)
        ]


def load_registry() -> Registry:
    """Import every module of `plaudit_reward.rewards` and take the rewards it defines."""
    found = []
    for module in pkgutil.iter_modules(rewards.__path__, f"{rewards.__name__}."):
        names = vars(importlib.import_module(module.name))
        found += [
            value
            for value in names.values()
            if isinstance(value, Reward) and value.function.__module__ == module.name
        ]
    return Registry(found)


def _checked_params(where: str, reward: Reward, spec: RewardSpec) -> Contract:
    try:
        return reward.params.model_validate(spec.params)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            valid = reward.params.model_fields
            raise Rejected(unknown_name(f"{where}.params.{name[:80]}", name[:80], valid)) from None
        raise Rejected(f"{where}.params.{name} of {reward.name}: {first['msg']}.") from None
