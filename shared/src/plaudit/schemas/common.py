"""The base of every contract: unknown keys are refused, values are immutable."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Lane = Literal["train", "eval"]
FinishReason = Literal["stop", "length", "abort"]
RunId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
MAX_TEMPERATURE = 2.0
"""vLLM refuses more."""


class Contract(BaseModel):
    """A value that crosses a process boundary."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Message(Contract):
    role: Literal["system", "user", "assistant"]
    content: str
