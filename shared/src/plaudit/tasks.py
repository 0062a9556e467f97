"""Ending tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any


async def end(tasks: Iterable[asyncio.Task[Any]], *, again_s: float) -> None:
    """Cancels until all have ended, and does so even if it is cancelled itself meanwhile.

    Once is not enough: redis-py loses a cancellation that meets it while it connects. A task
    group would then wait for ever. `again_s`: how long a task may take to clean up before it is
    cancelled again. What the tasks raise stays in them.
    """
    cancellation: asyncio.CancelledError | None = None
    tasks = list(tasks)
    while pending := {task for task in tasks if not task.done()}:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=again_s)
        except asyncio.CancelledError as again:
            cancellation = again
    if cancellation is not None:
        raise cancellation
