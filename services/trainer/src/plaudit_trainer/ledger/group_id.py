"""A group id names its prompt: which pass over the data, which position in it, which attempt."""

from typing import NamedTuple, Self


class GroupId(NamedTuple):
    """`position` counts within the epoch's permutation of the rows, not within the file."""

    epoch: int
    position: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.epoch}/{self.position}/{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError when `text` is not EPOCH/POSITION/ATTEMPT."""
        epoch, position, attempt = (int(part) for part in text.split("/"))
        return cls(epoch, position, attempt)
