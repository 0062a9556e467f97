"""The right answers that a group's reference gives."""

from typing import Any

from plaudit.schemas.reward import RewardGroup
from plaudit_reward.reward import Missing

_MISSING = Missing("reference.answer is missing")


def answer_of(group: RewardGroup) -> str | Missing:
    """`reference.answer` as text; a number counts, and 18.0 is "18"."""
    return _text_of(group.reference.get("answer")) or _MISSING


def answers_of(group: RewardGroup) -> list[str] | Missing:
    """`reference.answer`, which may be a list of answers that are all right."""
    value = group.reference.get("answer")
    texts = [_text_of(one) for one in (value if isinstance(value, list) else [value])]
    return [text for text in texts if text] or _MISSING


def after_hashes(answer: str) -> str:
    """What GSM8K calls the answer: the part after the last ####, or all where there is none."""
    return answer.rpartition("####")[2].strip()


def _text_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None
