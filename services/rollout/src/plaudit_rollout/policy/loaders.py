"""Which loader a version needs: one for whole weights, or one for adapters over them."""

from plaudit_rollout.engine.client import EngineClient
from plaudit_rollout.policy.adapters import AdapterLoader
from plaudit_rollout.policy.loader import Loader, Refused, Version
from plaudit_rollout.policy.pooling import PoolingLoader, pooled_prove
from plaudit_rollout.policy.probe import check_probe
from plaudit_rollout.policy.weights import Weights
from plaudit_rollout.settings import RolloutSettings


class Loaders:
    """`adapters` is None beside an engine that pools."""

    def __init__(self, whole: Loader, adapters: AdapterLoader | None) -> None:
        self._whole = whole
        self._adapters = adapters
        self.pause_s: float | None = None
        """How long generation stood still at the last load."""

    async def load(self, version: Version, previous: Version | None) -> None:
        """Serves `version`, or raises Refused; what then serves is what the loaders say."""
        base = version.manifest.base
        if base is None:
            await self._load_whole(version, previous)
        elif self._adapters is None:
            raise Refused(
                "load",
                "the version is an adapter, and an engine that pools loads whole weights only. "
                "Fix: set model.lora.publish = 'merged' in the recipe",
            )
        else:
            await self._adapters.load(version, base)
            self.pause_s = 0.0

    async def _load_whole(self, version: Version, previous: Version | None) -> None:
        if self._adapters is not None:
            await self._adapters.leave()
        can_go_back = previous is not None and previous.manifest.base is None
        await self._whole.load(version, previous if can_go_back else None)
        self.pause_s = self._whole.pause_s


def make_loaders(settings: RolloutSettings, engine: EngineClient, weights: Weights) -> Loaders:
    """Raises ConfigError: an engine that pools, and no numpy."""
    if settings.pooling:
        prove = pooled_prove(engine)
        return Loaders(PoolingLoader(engine, weights, prove, recompute_in_flight=False), None)

    async def prove_whole(version: Version) -> float:
        return await check_probe(engine, version.manifest.probe)

    async def prove_adapter(version: Version, name: str) -> float:
        return await check_probe(engine, version.manifest.probe, name)

    recompute = settings.recompute_in_flight
    whole = Loader(engine, weights, prove_whole, recompute_in_flight=recompute)
    root, num_kept = settings.policy_root, settings.max_adapters
    adapters = AdapterLoader(engine, weights, prove_adapter, root=root, num_kept=num_kept)
    return Loaders(whole, adapters)
