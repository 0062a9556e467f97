"""The text of a prompt that a judge sees."""

from collections.abc import Sequence

from plaudit.errors import Rejected
from plaudit.schemas.common import Message


def extract_prompt_text(prompt: Sequence[Message]) -> str:
    """The first user message, else the last message. Source: algorithms.md 2.1.

    Raises Rejected: the prompt has no messages.
    """
    if not prompt:
        raise Rejected("prompt: has no messages.", fix="Send at least one message.")
    for message in prompt:
        if message.role == "user":
            return message.content
    return prompt[-1].content
