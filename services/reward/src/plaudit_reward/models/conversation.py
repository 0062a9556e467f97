"""A prompt and a completion as what a reward model reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from plaudit.reward_text import answered, joined
from plaudit.schemas.common import Message


@dataclass(frozen=True)
class Conversation:
    prompt: Sequence[Message]
    completion: str

    def messages(self) -> list[dict[str, str]]:
        return answered(self.prompt, self.completion)

    def joined(self) -> str:
        """For models without a chat template."""
        return joined(self.messages())
