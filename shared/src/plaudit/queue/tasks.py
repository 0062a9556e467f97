"""Ending tasks."""

import asyncio
from typing import Any


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancels until it is heard: code below may swallow a cancellation that comes as it ends."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.1)
