"""What runs local models: their memory, a thread for tokenizers, a batcher for each device."""

import asyncio
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from plaudit.errors import ConfigError
from plaudit_reward.models.batcher import Batcher, Sequenced
from plaudit_reward.models.residents import Residents
from plaudit_reward.models.spec import LOCAL_KINDS, ModelSpec
from plaudit_reward.reward import Missing

MAX_LOADS = 2
"""Models that are loaded at once."""

T = TypeVar("T")


@dataclass(frozen=True)
class EngineLimits:
    max_batch_tokens: int = 16_384
    max_resident: int = 4
    torch_threads: int = 1
    """For one batch on the CPU."""


class Engine:
    """`async with Engine(specs, limits) as engine: ...`. Importing it needs no torch."""

    def __init__(self, specs: Mapping[str, ModelSpec], limits: EngineLimits) -> None:
        self._specs = specs
        self.limits = limits
        self._residents: Residents[Any] = Residents(self._load, limits.max_resident)
        self._tokenizing = ThreadPoolExecutor(1, thread_name_prefix="tokenize")
        self._loading = ThreadPoolExecutor(MAX_LOADS, thread_name_prefix="load")
        self._batchers: dict[str, Batcher] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._residents.aclose()
        await self._stack.aclose()
        for threads in (self._tokenizing, self._loading):
            threads.shutdown(wait=False, cancel_futures=True)

    def using(self, name: str) -> AbstractAsyncContextManager[Any]:
        """The loaded model. Raises ConfigError when it cannot be loaded."""
        return self._residents.using(name)

    async def tokenize(self, function: Callable[..., T], *arguments: Any) -> T:
        """In the one thread that may touch tokenizers."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._tokenizing, function, *arguments)

    async def compute(self, model: Any, sequences: Sequence[Sequenced]) -> list[Any | Missing]:
        """On the model's device, in batches with whatever else waits for it."""
        return await (await self._batcher(str(model.device))).compute(model, sequences)

    async def on_device(self, model: Any, function: Callable[..., T], *arguments: Any) -> T:
        """Anything else that changes or reads the model, between two batches of its device."""
        return await (await self._batcher(str(model.device))).call(function, *arguments)

    async def _batcher(self, device: str) -> Batcher:
        if device not in self._batchers:
            self._batchers[device] = batcher = Batcher(device)
            await self._stack.enter_async_context(batcher)
        return self._batchers[device]

    async def _load(self, name: str) -> Any:
        require_torch()
        loop = asyncio.get_running_loop()
        spec, limits = self._specs[name], self.limits
        return await loop.run_in_executor(self._loading, _loaded, name, spec, limits)


def _loaded(name: str, spec: ModelSpec, limits: EngineLimits) -> Any:
    # Here, since the API and workers of other pools do without torch.
    import torch

    from plaudit_reward.models.local.load import load

    torch.set_num_threads(limits.torch_threads)
    return load(name, spec, limits.max_batch_tokens)


def require_torch(specs: Mapping[str, ModelSpec] | None = None) -> None:
    """Raises ConfigError when one of `specs` (None: any) needs torch and it is not there."""
    needs = specs is None or any(spec.kind in LOCAL_KINDS for spec in specs.values())
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if needs and missing:
        raise ConfigError(
            f"models of kind {', '.join(LOCAL_KINDS)} need {' and '.join(missing)}, "
            f"not installed beside {sys.executable}.",
            fix="pip install 'plaudit-reward[model]', or serve it with vLLM and say kind = 'vllm'",
        )
