"""How long completions are, for the rewards that look at length."""

from typing import Literal

from plaudit.schemas.reward import Answer, RewardGroup
from plaudit_reward.reward import Missing

Unit = Literal["tokens", "characters"]


def length_of(completion: Answer, unit: Unit) -> int | Missing:
    """Tokens are those the engine generated; only the trainer knows how many there were."""
    length = len(completion.text) if unit == "characters" else completion.length_tokens()
    return Missing("completions.num_tokens is missing") if length is None else length


def lengths_of(group: RewardGroup, unit: Unit) -> list[int] | Missing:
    """For statistics over the group, which need every length."""
    lengths = []
    for completion in group.completions:
        length = length_of(completion, unit)
        if isinstance(length, Missing):
            return length
        lengths.append(length)
    return lengths
