"""Running loops beside a main task."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from plaudit.errors import PlauditError
from plaudit.tasks import end

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
        await end(tasks, again_s=_AGAIN_S)
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


def _innermost(group: BaseExceptionGroup[PlauditError]) -> PlauditError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, PlauditError)
    return error
