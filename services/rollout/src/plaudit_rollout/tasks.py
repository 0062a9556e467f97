"""Waiting for events, and how long tasks may take to end."""

import asyncio

CLEAN_UP_S = 1.0
"""Then they are cancelled again."""


async def first_of(*events: asyncio.Event) -> None:
    """Returns once any of them is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
