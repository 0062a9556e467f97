"""What `plaudit generate` writes: one line for each row of prompts."""

from typing import Any

from pydantic import Field

from plaudit.schemas.common import Contract, Message
from plaudit.schemas.rollout import MAX_COMPLETIONS, Sampling


class Ask(Contract):
    """How every row is answered."""

    n: int = Field(default=1, ge=1, le=MAX_COMPLETIONS)
    sampling: Sampling = Sampling(temperature=0.7, top_p=0.8, top_k=20, max_tokens=512)


class GeneratedText(Contract):
    text: str
    finish_reason: str | None
    """As the model's server says it: stop, length, ..."""


class GeneratedRow(Contract):
    """`key` stands for the prompt and all options: another question has another key."""

    id: str
    key: str
    prompt: list[Message]
    completions: list[GeneratedText] = Field(min_length=1)
    reference: Any = None
    """As the row of prompts has it."""
