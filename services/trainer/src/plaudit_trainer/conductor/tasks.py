"""Running loops beside a main task, and ending them for certain."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from plaudit.errors import PlauditError

_AGAIN_S = 0.1


async def run_beside(
    main: Callable[[], Coroutine[Any, Any, None]],
    loops: Sequence[Callable[[], Coroutine[Any, Any, None]]],
) -> None:
    """Until `main` is done; whichever fails first ends them all with its error."""
    first = asyncio.create_task(main())
    tasks = [first, *(asyncio.create_task(loop()) for loop in loops)]
    try:
        await _first_end(first, tasks)
    finally:
        await end(tasks)
    try:
        for task in tasks:
            if not task.cancelled():
                task.result()
    except* PlauditError as errors:
        raise _innermost(errors) from errors


async def _first_end(main: asyncio.Task[None], tasks: Collection[asyncio.Task[None]]) -> None:
    """A loop that just returns, as all do when the conductor stops, ends nothing."""
    pending = set(tasks)
    while main in pending:
        ended, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if any(task.cancelled() or task.exception() is not None for task in ended):
            return


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels until all have ended, and does so even if it is cancelled itself meanwhile.

    Once is not enough: redis-py loses a cancellation that meets it while it connects. A task
    group would then wait for ever.
    """
    cancellation: asyncio.CancelledError | None = None
    while pending := {task for task in tasks if not task.done()}:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=_AGAIN_S)
        except asyncio.CancelledError as again:
            cancellation = again
    if cancellation is not None:
        raise cancellation


def _innermost(group: BaseExceptionGroup[PlauditError]) -> PlauditError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, PlauditError)
    return error
