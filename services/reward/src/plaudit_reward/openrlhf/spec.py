"""The settings of both directions."""

import re
import string
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from plaudit.client.http import checked_url
from plaudit.config.api_key import WithApiKey

REMOTE_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
MAX_REMOTES = 64
STOP_TEXTS = [
    "<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>", "<|end_of_text|>", "<eos>",
    "<end_of_turn>",
]  # fmt: skip
"""End-of-text tokens of Qwen, Llama, Mistral and Gemma."""

SPECIAL_TOKEN = re.compile(r"<[^<>\s{}]{1,64}>")
"""As models write them: <|im_end|>, </s>, <eos>."""

StopText = Annotated[str, Field(min_length=1, max_length=64)]


class RemoteSpec(WithApiKey):
    """A table [reward.remotes.NAME]: servers with OpenRLHF's wire that hold the same model."""

    urls: list[str] = Field(min_length=1, max_length=64)
    """Whole addresses: http://10.0.0.5:5000/get_reward. Batches go to each in turn, and to the
    next where one fails."""
    timeout_s: float = Field(default=60.0, gt=0.0)
    """For a batch: all servers and attempts."""
    max_batch: int = Field(default=64, ge=1, le=4096)
    """Texts in one request."""
    max_concurrency: int = Field(default=16, ge=1, le=1024)
    """Requests at once, per worker process."""
    message_format: str = "{content}\n"
    """Of each message of the prompt: what the model was trained with, e.g.
    "<|im_start|>{role}\\n{content}<|im_end|>\\n"."""
    completion_format: str = "{content}"
    """Of the completion, after the prompt: "<|im_start|>assistant\\n{content}<|im_end|>\\n"."""

    def marks(self) -> set[str]:
        """The special tokens of the formats: a completion that writes one would end its turn."""
        return set(SPECIAL_TOKEN.findall(self.message_format + self.completion_format))

    @model_validator(mode="after")
    def is_usable(self) -> Self:
        for url in self.urls:
            checked_url(url, "remote")
        check_format("message_format", self.message_format, {"role", "content"})
        check_format("completion_format", self.completion_format, {"content"})
        return self

    @field_validator("completion_format")
    @classmethod
    def has_one_content(cls, value: str) -> str:
        if value.count("{content}") != 1:
            raise ValueError("must have {content} once")
        return value


def check_format(name: str, text: str, allowed: set[str]) -> None:
    """A format may name these fields, and nothing of them."""
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError as error:
        raise ValueError(f"{name}: {error}; write a brace twice where it is one") from None
    if "content" not in fields or not fields <= allowed:
        raise ValueError(f"{name}: must have {{content}}, and may have {sorted(allowed)}")
