"""The configured models, as rewards find them: by name."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Self

from plaudit_reward.models.engine import Engine, EngineLimits, require_torch
from plaudit_reward.models.local_reward_model import LocalRewardModel
from plaudit_reward.models.reward_model import RewardModel
from plaudit_reward.models.spec import ModelSpec, UnitSpec, VllmSpec
from plaudit_reward.models.unit_reward_model import UnitRewardModel
from plaudit_reward.models.vllm import VllmRewardModel
from plaudit_reward.reward import Missing


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

    async def preload(self) -> None:
        """Load local models, in the settings' order, while there is room. Raises ConfigError."""
        local = [name for name in self._specs if name not in self._remote]
        for name in local[: self.engine.limits.max_resident]:
            async with self.engine.using(name):
                pass

    def reward_model(self, name: str) -> RewardModel | Missing:
        spec = self._specs.get(name)
        if spec is None:
            return self._unknown(name)
        if isinstance(spec, UnitSpec):
            return Missing(f"model {name!r} is of kind unit; that is for unit_reward_model")
        return self._remote.get(name) or LocalRewardModel(name, self.engine)

    def unit_reward_model(self, name: str) -> UnitRewardModel | Missing:
        spec = self._specs.get(name)
        if spec is None:
            return self._unknown(name)
        if not isinstance(spec, UnitSpec):
            return Missing(f"model {name!r} is of kind {spec.kind}; unit_reward_model needs unit")
        return UnitRewardModel(name, spec, self.engine)

    def _unknown(self, name: str) -> Missing:
        names = ", ".join(sorted(self._specs)) or "none"
        return Missing(
            f"no model is called {name[:40]!r}; configured: {names} ([reward.models.NAME])"
        )
