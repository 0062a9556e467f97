"""How much a caller may send, and for how long."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.types import Message, Receive

from plaudit.errors import BodyTooLarge, Rejected


class BodyTimeout(Rejected):
    status = 408


class BodyBound(NamedTuple):
    max_bytes: int
    too_large: Callable[[], BodyTooLarge]
    """What is raised beyond."""


def body_too_large(setting: str, max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The request's body is larger than {setting} = {max_bytes}.",
        fix=f"send fewer groups per request, or raise {setting}.",
    )


class BodyLimit:
    """The `receive` of one request: counts bytes, whatever Content-Length says, and has a deadline.

    Raises:
        BodyTooLarge, BodyTimeout: out of the handler's own read.
    """

    __slots__ = ("bound", "complete", "deadline", "num_bytes", "receive", "timeout_s")

    def __init__(
        self, receive: Receive, bound: BodyBound, timeout_s: float, headers: Mapping[bytes, bytes]
    ) -> None:
        self.receive = receive
        self.bound = bound
        self.timeout_s = timeout_s
        self.num_bytes = 0
        self.deadline = 0.0
        self.complete = False
        declared = headers.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > bound.max_bytes:
            raise bound.too_large()

    async def __call__(self) -> Message:
        if self.complete:
            return await self.receive()
        loop = asyncio.get_running_loop()
        self.deadline = self.deadline or loop.time() + self.timeout_s
        try:
            async with asyncio.timeout_at(self.deadline):
                message = await self.receive()
        except TimeoutError:
            raise BodyTimeout(
                f"The request's body had not arrived after body_timeout_s = {self.timeout_s:g} s."
            ) from None
        self.count(message)
        return message

    def count(self, message: Message) -> None:
        self.num_bytes += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self.num_bytes > self.bound.max_bytes:
            raise self.bound.too_large()
