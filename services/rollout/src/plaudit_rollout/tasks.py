"""Ending tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_S = 1.0


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels until all have ended; what they raise stays in them.

    Once is not enough: redis-py loses a cancellation that meets it while it connects.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)


async def first_of(*events: asyncio.Event) -> None:
    """Returns once any of them is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
