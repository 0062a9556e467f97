"""One device: a thread that computes, and a bounded queue in which requests become batches.

What waits is taken at once, whatever request it came with, and cut into batches of like length.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar

from plaudit.tasks import end
from plaudit.telemetry import get_logger
from plaudit_reward.models.batches import cut_into_batches
from plaudit_reward.models.metrics import BATCH_SECONDS, BATCH_TEXTS, TOKENS, WAITING
from plaudit_reward.reward import Missing

MAX_WAITING_TEXTS = 16_384
"""Per device. Whoever has more waits for places, as long as its deadline allows."""
_END_AGAIN_S = 1.0

T = TypeVar("T")

log = get_logger(__name__)


class Sequenced(Protocol):
    """What is computed on: tokens, and what else a model needs to know of them."""

    @property
    def token_ids(self) -> Sequence[int]: ...


class BatchModel(Protocol):
    """A loaded model. `compute` runs in the device's thread."""

    @property
    def name(self) -> str: ...

    @property
    def max_batch_tokens(self) -> int: ...

    def compute(self, batch: Sequence[Any]) -> Sequence[Any]:
        """One result for each, in order."""
        ...


@dataclass(eq=False)
class _Item:
    model: BatchModel
    sequence: Sequenced
    future: asyncio.Future[Any] = field(repr=False)


class Batcher:
    """`async with Batcher("cpu") as batcher: await batcher.compute(model, sequences)`."""

    def __init__(self, device: str, max_waiting: int = MAX_WAITING_TEXTS) -> None:
        self.device = device
        self._places = asyncio.Semaphore(max_waiting)
        self._waiting: asyncio.Queue[_Item] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"torch-{device}")
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end([self._task], again_s=_END_AGAIN_S)
        # Not waited for: the batch that is being computed ends by itself.
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def compute(
        self, model: BatchModel, sequences: Sequence[Sequenced]
    ) -> list[Any | Missing]:
        """In the order of `sequences`; Missing where the model failed on one."""
        return list(await asyncio.gather(*(self._one(model, one) for one in sequences)))

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Anything else that needs the device, in its thread and between two batches."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def _one(self, model: BatchModel, sequence: Sequenced) -> Any:
        async with self._places:
            item = _Item(model, sequence, asyncio.get_running_loop().create_future())
            self._waiting.put_nowait(item)
            return await item.future

    async def _work(self) -> None:
        while True:
            items = [await self._waiting.get()]
            with suppress(asyncio.QueueEmpty):
                while True:
                    items.append(self._waiting.get_nowait())
            WAITING.labels(self.device).set(len(items))
            for batch in _batches(items):
                await self._serve(batch)
            WAITING.labels(self.device).set(self._waiting.qsize())

    async def _serve(self, batch: list[_Item]) -> None:
        # Whoever waited for these may have gone meanwhile.
        batch = [item for item in batch if not item.future.done()]
        if not batch:
            return
        model, sequences = batch[0].model, [item.sequence for item in batch]
        try:
            results = await self.call(_timed, model, sequences)
        except Exception as error:  # why: torch raises what it likes, also when memory is short
            log.exception("batch_failed", model=model.name, texts=len(batch))
            await self._serve_failed(batch, error)
            return
        for item, result in zip(batch, results, strict=True):
            _settle(item, result)

    async def _serve_failed(self, batch: list[_Item], error: Exception) -> None:
        """One by one, so that a text that breaks the model, or fills memory, is the only one."""
        if len(batch) == 1:
            reason = f"the model failed: {type(error).__name__}: {str(error)[:300]}"
            _settle(batch[0], Missing(reason))
            return
        for item in batch:
            await self._serve([item])


def _batches(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    by_model: dict[int, list[_Item]] = {}
    for item in items:
        by_model.setdefault(id(item.model), []).append(item)
    for group in by_model.values():
        lengths = [len(item.sequence.token_ids) for item in group]
        for indices in cut_into_batches(lengths, group[0].model.max_batch_tokens):
            yield [group[index] for index in indices]


def _timed(model: BatchModel, sequences: Sequence[Sequenced]) -> Sequence[Any]:
    started_s = time.perf_counter()
    results = model.compute(sequences)
    BATCH_SECONDS.labels(model.name).observe(time.perf_counter() - started_s)
    lengths = [len(one.token_ids) for one in sequences]
    BATCH_TEXTS.labels(model.name).observe(len(sequences))
    TOKENS.labels(model.name, "text").inc(sum(lengths))
    TOKENS.labels(model.name, "padding").inc(max(lengths) * len(lengths) - sum(lengths))
    return results


def _settle(item: _Item, result: Any) -> None:
    if not item.future.done():
        item.future.set_result(result)
