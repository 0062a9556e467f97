"""Which examples there are, and which formats each can be made from."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from plaudit.errors import ConfigError
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit_trainer.data.formats.chat import conversation, messages_row, prompt_row
from plaudit_trainer.data.formats.code import humaneval_row, mbpp_row
from plaudit_trainer.data.formats.convert import Converter, own
from plaudit_trainer.data.formats.grail import grail_row
from plaudit_trainer.data.formats.math import (
    gsm8k_conversation,
    gsm8k_row,
    openr1_conversation,
    openr1_row,
)
from plaudit_trainer.data.formats.pairs import (
    labelled,
    preference,
    ultrafeedback_conversation,
    ultrafeedback_preference,
    ultrafeedback_row,
)
from plaudit_trainer.data.row import Row

Example = TypeVar("Example", Row, Conversation, Preference, Labelled)


@dataclass(frozen=True)
class Kind(Generic[Example]):
    """`messages`: the name of the field that begins with the prompt."""

    name: str
    messages: Literal["prompt", "messages"]
    converters: dict[str, Converter[Example]]

    def converter(self, setting: str, data_format: str) -> Converter[Example]:
        found = self.converters.get(data_format)
        if found is None:
            raise ConfigError(
                f"{setting}: data.format = {data_format!r} holds no {self.name}, which the method "
                "trains on.",
                fix=f"use one of {', '.join(self.converters)}, or another method",
            )
        return found


ROWS: Kind[Row] = Kind(
    "rows for rollouts",
    "prompt",
    {
        "plaudit": own(Row),
        "prompt": prompt_row,
        "gsm8k": gsm8k_row,
        "openr1_math": openr1_row,
        "messages": messages_row,
        "ultrafeedback": ultrafeedback_row,
        "grail": grail_row,
        "humaneval": humaneval_row,
        "mbpp": mbpp_row,
    },
)
CONVERSATIONS: Kind[Conversation] = Kind(
    "conversations",
    "messages",
    {
        "plaudit": own(Conversation),
        "messages": conversation,
        "gsm8k": gsm8k_conversation,
        "openr1_math": openr1_conversation,
        "ultrafeedback": ultrafeedback_conversation,
    },
)
PREFERENCES: Kind[Preference] = Kind(
    "pairs of answers",
    "prompt",
    {
        "plaudit": own(Preference),
        "preference": preference,
        "ultrafeedback": ultrafeedback_preference,
    },
)
LABELLED: Kind[Labelled] = Kind(
    "labelled answers", "prompt", {"plaudit": own(Labelled), "labelled": labelled}
)
