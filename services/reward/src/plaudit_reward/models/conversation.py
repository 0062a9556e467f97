"""A prompt and a completion as what a reward model reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from plaudit.schemas.common import Message

JOIN = "\n\n"


@dataclass(frozen=True)
class Conversation:
    prompt: Sequence[Message]
    completion: str

    def messages(self) -> list[dict[str, str]]:
        """The completion goes on with a last message that the prompt has begun for it."""
        found = [{"role": one.role, "content": one.content} for one in self.prompt]
        if found and found[-1]["role"] == "assistant":
            found[-1]["content"] += self.completion
            return found
        return [*found, {"role": "assistant", "content": self.completion}]

    def joined(self) -> str:
        """For models without a chat template: all contents with an empty line between."""
        return JOIN.join(message["content"] for message in self.messages())
