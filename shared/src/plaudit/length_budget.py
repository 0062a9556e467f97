"""The length that a prompt asks for, in the words on which `lcpo_exact` and `lcpo_max` rest.

Put the same number into the row's `reference.num_tokens`, where these rewards look for it.
"""

from collections.abc import Sequence
from typing import Literal

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message

BudgetForm = Literal["exact", "max"]
BudgetStyle = Literal["l1", "r1"]

_SUFFIXES = {
    ("l1", "exact"): " Think for {} tokens.",
    ("l1", "max"): " Think for maximum {} tokens.",
    ("r1", "exact"): ". Think for {} tokens.",
    ("r1", "max"): ". Think for a maximum of {} tokens.",
}
_ROLES = {"l1": "user", "r1": "system"}


def with_length_budget(
    prompt: Sequence[Message], num_tokens: int, form: BudgetForm, style: BudgetStyle = "l1"
) -> list[Message]:
    """The prompt that also asks for `num_tokens` tokens, or at most so many.

    l1: at the end of the last user message (arXiv 2503.04697); r1: of the last system message,
    whose own full stop is not doubled. Raises ConfigError when there is no such message.
    """
    if num_tokens < 1:
        raise ConfigError(f"num_tokens = {num_tokens} is not positive.", fix="ask for 1 or more")
    role = _ROLES[style]
    places = [index for index, message in enumerate(prompt) if message.role == role]
    if not places:
        raise ConfigError(
            f"the prompt has no {role} message, to which style {style!r} adds the length.",
            fix="add one, or choose the other style",
        )
    suffix = _SUFFIXES[style, form].format(num_tokens)
    asking = list(prompt)
    asking[places[-1]] = Message(role=role, content=_joined(prompt[places[-1]].content, suffix))
    return asking


def _joined(text: str, suffix: str) -> str:
    text = text.rstrip()
    return text.removesuffix(".") + suffix if suffix.startswith(".") else text + suffix
