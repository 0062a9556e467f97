"""The configured models, as rewards find them: by name."""

from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import Self

from plaudit.errors import ConfigError
from plaudit_reward.models.discriminator.model import DiscriminatorModel
from plaudit_reward.models.engine import Engine, EngineLimits, require_torch
from plaudit_reward.models.local_reward_model import LocalRewardModel
from plaudit_reward.models.reward_model import RewardModel
from plaudit_reward.models.spec import DiscriminatorSpec, ModelSpec, UnitSpec, VllmSpec
from plaudit_reward.models.unit_reward_model import UnitRewardModel
from plaudit_reward.models.vllm import VllmRewardModel


class ModelPool:
    """`async with ModelPool(specs) as pool`. A worker's `context.use(ModelPool)`."""

    def __init__(self, specs: Mapping[str, ModelSpec], limits: EngineLimits | None = None) -> None:
        """Raises ConfigError: a model needs torch, or a key, that is not there."""
        require_torch(specs)
        self.engine = Engine(specs, limits or EngineLimits())
        self._specs = specs
        self._stack = AsyncExitStack()
        self._remote = {
            name: VllmRewardModel(name, spec)
            for name, spec in specs.items()
            if isinstance(spec, VllmSpec)
        }

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.engine)
        for model in self._remote.values():
            self._stack.push_async_callback(model.aclose)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def names(self) -> Collection[str]:
        return self._specs.keys()

    async def preload(self) -> None:
        """Load local models, in the settings' order, while there is room. Raises ConfigError."""
        local = [name for name in self._specs if name not in self._remote]
        for name in local[: self.engine.limits.max_resident]:
            async with self.engine.using(name):
                pass

    def reward_model(self, name: str) -> RewardModel:
        """Raises ConfigError: there is none of that name, or another reward is for its kind."""
        spec = self._spec(name)
        if isinstance(spec, UnitSpec | DiscriminatorSpec):
            reward = "discriminator" if spec.kind == "discriminator" else "unit_reward_model"
            raise ConfigError(
                f"model {name!r} is of kind {spec.kind}.", fix=f"use the reward {reward}"
            )
        return self._remote.get(name) or LocalRewardModel(name, self.engine)

    def unit_reward_model(self, name: str) -> UnitRewardModel:
        """Raises ConfigError: there is none of that name, or it is of another kind."""
        spec = self._spec(name)
        if not isinstance(spec, UnitSpec):
            raise ConfigError(
                f"model {name!r} is of kind {spec.kind}.", fix="name one of kind unit"
            )
        return UnitRewardModel(name, spec, self.engine)

    def discriminator(self, name: str) -> DiscriminatorModel:
        """Raises ConfigError: there is none of that name, or it is of another kind."""
        spec = self._spec(name)
        if not isinstance(spec, DiscriminatorSpec):
            raise ConfigError(
                f"model {name!r} is of kind {spec.kind}.", fix="name one of kind discriminator"
            )
        return DiscriminatorModel(name, spec, self.engine)

    def _spec(self, name: str) -> ModelSpec:
        if name not in self._specs:
            names = ", ".join(sorted(self._specs)) or "none"
            raise ConfigError(
                f"no model is called {name[:40]!r}; configured: {names}.",
                fix="add a table [reward.models.NAME] to plaudit.toml",
            )
        return self._specs[name]
