"""What the buffer keeps of a group."""

import hashlib
from collections.abc import Iterable

from plaudit.schemas.common import Contract, Message
from plaudit.schemas.run import ReadyGroup


class ReplayItem(Contract):
    """The newest group of one prompt, with what is known of the prompt from all of its groups."""

    uid: str
    group: ReadyGroup
    step: int
    """Of the policy that generated it."""
    count: int
    """Groups of this prompt that were trained on, replayed ones included."""
    mean: float
    """Of their mean rewards, and `m2`, the sum of squared distances from it (Welford)."""
    m2: float = 0.0
    priority: float
    """Mean |advantage| when it was trained on last."""
    num_bytes: int

    def with_reward(self, reward: float, priority: float) -> "ReplayItem":
        count = self.count + 1
        distance = reward - self.mean
        mean = self.mean + distance / count
        m2 = self.m2 + distance * (reward - mean)
        changes = {"count": count, "mean": mean, "m2": m2, "priority": priority}
        return self.model_copy(update=changes)


def uid_of(prompt: Iterable[Message], prompt_token_ids: Iterable[int]) -> str:
    """The same for prompts that differ in white space only; by its tokens where it has no text."""
    texts = [f"{message.role}\x1f{' '.join(message.content.split())}" for message in prompt]
    shown = "\x1e".join(texts) if texts else " ".join(map(str, prompt_token_ids))
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
