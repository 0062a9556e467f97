"""Calls that are made at the same time share one round trip.

While a batch is on its way, further calls gather into the next one: no timer, no added
latency when idle, and batches that grow with the load.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Batcher(Generic[In, Out]):
    """`flush` takes items and returns as many answers; `size_bytes` weighs an item."""

    def __init__(
        self,
        flush: Callable[[Sequence[In]], Awaitable[Sequence[Out]]],
        size_bytes: Callable[[In], int],
        *,
        max_items: int = 256,
        max_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self._flush = flush
        self._size_bytes = size_bytes
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def call(self, item: In) -> Out:
        """Raises what `flush` raised. A caller that is cancelled does not take its item back."""
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())
        return await future

    async def drain(self) -> None:
        if self._sender is not None:
            await asyncio.shield(self._sender)

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                await self._send(self._next_batch())
        finally:
            self._sender = None

    def _next_batch(self) -> list[tuple[In, asyncio.Future[Out]]]:
        batch = [self._waiting.popleft()]
        num_bytes = self._size_bytes(batch[0][0])
        while self._waiting and len(batch) < self._max_items:
            num_bytes += self._size_bytes(self._waiting[0][0])
            if num_bytes > self._max_bytes:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _send(self, batch: list[tuple[In, asyncio.Future[Out]]]) -> None:
        try:
            answers = await self._flush([item for item, _ in batch])
        except BaseException as error:  # why: every caller must hear of it, then it goes on up
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
