"""A conversation as the text that a reward model reads.

The reward service scores with it, and the trainer trains reward models with it.
"""

from collections.abc import Sequence

from plaudit.schemas.common import Message

JOIN = "\n\n"


def answered(prompt: Sequence[Message], answer: str) -> list[dict[str, str]]:
    """The answer goes on with a last message that the prompt has begun for it."""
    found = [{"role": one.role, "content": one.content} for one in prompt]
    if found and found[-1]["role"] == "assistant":
        found[-1]["content"] += answer
        return found
    return [*found, {"role": "assistant", "content": answer}]


def joined(messages: Sequence[dict[str, str]]) -> str:
    """For models without a chat template: all contents with an empty line between."""
    return JOIN.join(message["content"] for message in messages)


def with_eos(text: str, eos: str) -> str:
    """Newlines at the end cut off and `eos` there once, as OpenRLHF trains its reward models."""
    text = text.rstrip("\n")
    return text if text.endswith(eos) else text + eos
