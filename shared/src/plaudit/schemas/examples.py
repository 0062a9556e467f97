"""Rows of data sets for offline training: what Plaudit's own JSONL files hold."""

from typing import Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract, Message


class Conversation(Contract):
    """For `sft`: every message of the assistant is learned."""

    id: str
    messages: list[Message] = Field(min_length=1)

    @model_validator(mode="after")
    def has_an_answer(self) -> Self:
        if all(message.role != "assistant" for message in self.messages):
            raise ValueError("messages: none is the assistant's")
        return self


class Preference(Contract):
    """For `dpo`, `rm` and `unit_rm`: two answers to one prompt."""

    id: str
    prompt: list[Message] = Field(min_length=1)
    chosen: str
    rejected: str
    margin: float | None = None
    """How much better the chosen one is, in units of the reward."""

    @model_validator(mode="after")
    def answers_differ(self) -> Self:
        if self.chosen == self.rejected:
            raise ValueError("chosen and rejected are the same")
        return self


class Labelled(Contract):
    """For `kto`: one answer and whether it is a good one."""

    id: str
    prompt: list[Message] = Field(min_length=1)
    completion: str
    label: bool
