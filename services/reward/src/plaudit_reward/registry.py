"""All rewards: those of `plaudit_reward.rewards`, of installed packages, and in users' files."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plaudit.config.names import unknown_name
from plaudit.errors import Rejected
from plaudit.schemas.common import Contract
from plaudit.schemas.mixing import Mixed
from plaudit.schemas.reward import RewardInfo, RewardSpec
from plaudit.user_code import UserReward
from plaudit_reward import rewards
from plaudit_reward.params import checked_params
from plaudit_reward.reward import Reward
from plaudit_reward.user_code.entry_points import Unavailable, rewards_of_packages
from plaudit_reward.user_code.rewards import reward_in_file


@dataclass(frozen=True)
class Chosen:
    """A reward that a request asks for, with checked parameters."""

    reward: Reward
    params: Contract
    mixed: Mixed


class Registry:
    """Rewards by name."""

    def __init__(self, found: Sequence[Reward], unavailable: Sequence[Unavailable] = ()) -> None:
        self.rewards: Mapping[str, Reward] = {one.name: one for one in found}
        self._unavailable = {one.name: one for one in unavailable}

    def choose(self, specs: Sequence[RewardSpec]) -> list[Chosen]:
        """Raises Rejected for an unknown or repeated name and for wrong parameters."""
        chosen: dict[str, Chosen] = {}
        for index, spec in enumerate(specs):
            where = f"rewards.{index}"
            reward = self._named(spec.name, f"{where}.name = {spec.name[:80]!r}")
            if spec.name in chosen:
                raise Rejected(f"{where}.name: {spec.name!r} is asked for twice.")
            params = checked_params(f"{where}.params", reward, spec.params)
            chosen[spec.name] = Chosen(reward, params, spec)
        return list(chosen.values())

    def _named(self, name: str, what: str) -> Reward:
        if name in self.rewards:
            return self.rewards[name]
        if name in self._unavailable:
            raise Rejected(f"{what}: not available: {self._unavailable[name].reason}")
        user = UserReward.of(name)
        if user is None:
            raise Rejected(unknown_name(what, name[:80], self.rewards))
        if not user.path.is_absolute():
            raise Rejected(f"{what}: write the file's absolute path.")
        return reward_in_file(user, self.rewards)

    def describe(self) -> list[RewardInfo]:
        """What is not available comes last."""
        return [
            RewardInfo(
                name=one.name,
                pool=one.pool,
                description=one.description,
                source=one.source,
                params_schema=one.params.model_json_schema(),
            )
            for one in sorted(self.rewards.values(), key=lambda one: one.name)
        ] + [one.info() for one in self._unavailable.values()]


def load_registry() -> Registry:
    """What is built in, and what installed packages add."""
    found = built_in_rewards()
    added, unavailable = rewards_of_packages({one.name: one for one in found})
    return Registry([*found, *added], unavailable)


def built_in_rewards() -> list[Reward]:
    """Import every module of `plaudit_reward.rewards` and take the rewards it defines."""
    found = []
    for module in pkgutil.iter_modules(rewards.__path__, f"{rewards.__name__}."):
        names = vars(importlib.import_module(module.name))
        found += [
            value
            for value in names.values()
            if isinstance(value, Reward) and value.function.__module__ == module.name
        ]
    return found
