"""The place of a stored verdict among those of its run, over all callers."""

import re
from typing import NamedTuple, Self

from plaudit.config.keys import KEY_NAME_PATTERN
from plaudit.errors import Rejected
from plaudit.schemas.judge_verdict import Order

_PLACE = re.compile(r"(\d{1,19})-(\d{1,19})(?:\.(.+))?", re.ASCII)
_CALLER = re.compile(KEY_NAME_PATTERN)


class Place(NamedTuple):
    """Milliseconds and number in the stream of `caller`."""

    at_ms: int
    number: int
    caller: str

    @classmethod
    def of(cls, entry: bytes, caller: str) -> Self:
        at_ms, _, number = entry.partition(b"-")
        return cls(int(at_ms), int(number), caller)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Rejected."""
        match = _PLACE.fullmatch(text)
        if match is None or (match[3] is not None and not _CALLER.fullmatch(match[3])):
            raise Rejected(
                f"after: {text[:80]!r} is no place.", fix="give the `next` of the page before."
            )
        return cls(int(match[1]), int(match[2]), match[3] or "")

    @property
    def entry(self) -> str:
        return f"{self.at_ms}-{self.number}"

    def __str__(self) -> str:
        return f"{self.entry}.{self.caller}" if self.caller else self.entry

    def start_in(self, caller: str, order: Order) -> str:
        """From where `caller`'s stream goes on after this place."""
        follows = caller > self.caller if order == "oldest" else caller < self.caller
        return self.entry if follows else f"({self.entry}"
