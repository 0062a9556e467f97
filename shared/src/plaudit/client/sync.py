"""A blocking face for async clients: their own methods, run on a background event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from plaudit.client.http import HttpClient

C = TypeVar("C", bound=HttpClient)
P = ParamSpec("P")
R = TypeVar("R")


class SyncFace(Generic[C]):
    """Owns the async client and one daemon thread; close it, or use it in `with`."""

    def __init__(self, client: C) -> None:
        self.client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"plaudit-{client.service}-client", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_for(self, work: Coroutine[Any, Any, R]) -> R:
        """Waits for `work`; an interrupt (Ctrl-C) cancels it."""
        future: Future[R] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Safe to call twice."""
        if self._loop.is_closed():
            return
        self.wait_for(self.client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def healthy(self) -> bool:
        return self.wait_for(self.client.healthy())


class blocking(Generic[C, P, R]):
    """`score = blocking(RewardClient.score)` in a SyncFace: the same arguments, no await."""

    def __init__(self, method: Callable[Concatenate[C, P], Coroutine[Any, Any, R]]) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, face: SyncFace[C], owner: type[SyncFace[C]]) -> Callable[P, R]:
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return face.wait_for(self.method(face.client, *args, **kwargs))

        return call
