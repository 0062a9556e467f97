"""Requests and tokens per minute, by the generic cell rate algorithm (GCRA).

A limit is a time: that up to which the calls so far have used it up. Each call moves it on by its
share of a minute, and the next one may start when it is no more than a burst ahead.
Source: ITU-T I.371, Annex A.
"""

import time
from collections.abc import Iterable
from typing import Protocol

from plaudit.schemas.common import Message

_CHARS_PER_TOKEN = 4
_BURST_S = 1.0
"""Of a limit may be used at once: providers count a second's worth, too."""


class Limit:
    """One of them, so many per minute."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.interval_s = 60.0 / per_minute
        self.burst_s = max(0.0, _BURST_S - self.interval_s)

    def at_most(self, number: int) -> int:
        return min(number, self.per_minute)


class Rate(Protocol):
    async def take(self, num_tokens: int) -> float:
        """Seconds to wait before asking again; 0: one request and its tokens are taken."""
        ...

    async def settle(self, num_tokens: int) -> None:
        """So many tokens were used more than taken; a negative number gives some back.

        No more than the limit: an endpoint that lies about its tokens stops nobody for good.
        """
        ...


class LocalRate:
    """Of this process alone."""

    def __init__(self, requests: Limit | None, tokens: Limit | None) -> None:
        self._requests = _Used(requests) if requests else None
        self._tokens = _Used(tokens) if tokens else None

    async def take(self, num_tokens: int) -> float:
        both = [used for used in (self._requests, self._tokens) if used]
        wait_s = max((used.wait_s() for used in both), default=0.0)
        if wait_s == 0.0:
            if self._requests:
                self._requests.add(1)
            if self._tokens:
                self._tokens.add(num_tokens)
        return wait_s

    async def settle(self, num_tokens: int) -> None:
        if self._tokens:
            self._tokens.add(self._tokens.limit.at_most(num_tokens))


class _Used:
    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._until_s = float("-inf")

    def wait_s(self) -> float:
        return max(0.0, self._until_s - time.monotonic() - self.limit.burst_s)

    def add(self, number: int) -> None:
        start_s = max(time.monotonic(), self._until_s)
        self._until_s = start_s + number * self.limit.interval_s


def estimate_tokens(messages: Iterable[Message], max_tokens: int) -> int:
    """Before the call: what is read, roughly, and the most that may be written."""
    return sum(len(message.content) for message in messages) // _CHARS_PER_TOKEN + max_tokens
