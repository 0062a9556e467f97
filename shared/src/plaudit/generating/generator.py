"""Who answers prompts."""

from typing import Protocol

from plaudit.generating.prompts import PromptRow
from plaudit.schemas.generate import Ask, GeneratedText


class Generator(Protocol):
    async def generate(self, row: PromptRow, key: str, ask: Ask) -> list[GeneratedText]:
        """`key`: the same for the same attempt at the row, also in another run.

        Raises Rejected: this row cannot be answered; Unavailable: nobody answers.
        """

    async def settle(self, key: str) -> None:
        """The answer is on disk."""


def seed_of(ask: Ask, row: PromptRow) -> int | None:
    """Equal prompts get different answers, and the same ones in every run."""
    seed = ask.sampling.seed
    return None if seed is None else (seed + row.number) % 2**31
