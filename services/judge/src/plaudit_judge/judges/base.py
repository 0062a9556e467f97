"""What every judge is: something that answers a conversation with text."""

from dataclasses import dataclass
from typing import Protocol

from plaudit.schemas.common import Message
from plaudit.schemas.judge import JudgeInfo


@dataclass(frozen=True)
class Ask:
    """One question to a judge. Equal asks with equal seeds are the same draw."""

    messages: list[Message]
    temperature: float
    max_tokens: int
    seed: int


@dataclass(frozen=True)
class Reply:
    """The judge's own text and what it cost. `policy_version` is None for other models."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    policy_version: int | None = None


class Judge(Protocol):
    @property
    def name(self) -> str: ...

    async def ask(self, ask: Ask, timeout_s: float) -> Reply:
        """Tries again within `timeout_s`.

        Raises Rejected: this ask can never be answered; Unavailable: the judge did not answer.
        """
        ...

    async def info(self) -> JudgeInfo: ...

    async def aclose(self) -> None: ...
