"""Which weights the engine holds, who may generate with them, and what came of it.

An *epoch* is a time in which the engine holds the same weights. A *span* is one request to the
engine with every epoch that it lived through. A *life* is one run of the engine's process
under this worker: its name is stamped onto the engine, which forgets it when it restarts.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex


@dataclass(frozen=True, slots=True)
class Epoch:
    """`version` is None for the base model. `salt` is of this epoch alone.

    `adapter` is the engine's name for it, where the version is an adapter over other weights.
    """

    version: int | None
    adapter: str | None = None
    salt: str = field(default_factory=lambda: token_hex(8))


@dataclass(eq=False, slots=True)
class Span:
    """`spoiled`: weights that were refused or are unknown may have produced some token."""

    life: str
    epochs: list[Epoch]
    spoiled: bool = False

    @property
    def salt(self) -> str:
        """Names the weights that the request began with."""
        return self.epochs[0].salt

    @property
    def adapter(self) -> str | None:
        """A request keeps it to its end."""
        return self.epochs[0].adapter

    @property
    def versions(self) -> list[int]:
        """Oldest first, each once."""
        known = (epoch.version for epoch in self.epochs if epoch.version is not None)
        return list(dict.fromkeys(known))


class Weights:
    """Only the follower changes it; generation asks it.

    `available`: there is something to serve, so that jobs are worth taking. `settled`: and no
    load is going on, so that requests may start and results may be trusted.
    """

    def __init__(self) -> None:
        self.available = asyncio.Event()
        self.settled = asyncio.Event()
        self.gone = asyncio.Event()
        self.gone.set()
        self.life = ""
        self._epoch: Epoch | None = None
        self._spans: set[Span] = set()

    @asynccontextmanager
    async def span(self) -> AsyncIterator[Span]:
        """One request to the engine; waits while there is nothing to serve or a load goes on."""
        while self._epoch is None or not self.settled.is_set():
            await self.settled.wait()
        span = Span(self.life, [self._epoch])
        self._spans.add(span)
        try:
            yield span
        finally:
            self._spans.discard(span)

    def begin_life(self) -> str:
        """A new name for the engine's process; nothing is known of its weights."""
        self.lose()
        self.life = token_hex(8)
        return self.life

    def hold(self) -> None:
        """No request starts, and no result is trusted, until `serve` or `lose`."""
        self.settled.clear()

    def begin_epoch(self, epoch: Epoch) -> None:
        """From now on tokens come from these weights."""
        self._epoch = epoch
        for span in self._spans:
            span.epochs.append(epoch)

    def begin_adapter(self, epoch: Epoch) -> None:
        """Requests from now on are for this one; those in flight go on with theirs."""
        self._epoch = epoch

    def is_used(self, adapter: str) -> bool:
        """Whether a request in flight, or the next one, is for that."""
        current = self._epoch is not None and self._epoch.adapter == adapter
        return current or any(span.adapter == adapter for span in self._spans)

    def spoil(self) -> None:
        """What is in flight is worthless."""
        for span in self._spans:
            span.spoiled = True

    def serve(self) -> None:
        """The weights of the current epoch are what they are said to be."""
        self.available.set()
        self.gone.clear()
        self.settled.set()

    def lose(self) -> None:
        """The engine is away, or its weights are unknown."""
        self.spoil()
        self._epoch = None
        self.settled.clear()
        self.available.clear()
        self.gone.set()
