"""The texts of a rubric that gives only criteria, and the parts of texts that come from them."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import get_args

from plaudit.schemas.common import Contract
from plaudit.schemas.judge import Mode, Scale
from plaudit_judge.scores.criteria import Criteria, Criterion


class Text(Contract):
    """How the judge is asked in one mode. Without `system` no system message is sent."""

    system: str = ""
    user: str


_DEFAULTS = tomllib.loads(
    (Path(__file__).parent / "default_texts.toml").read_text(encoding="utf-8")
)
REFERENCE: str = _DEFAULTS["reference"]
GENERATED: dict[Mode, Text] = {mode: Text(**_DEFAULTS[mode]) for mode in get_args(Mode)}
LETTERS = ascii_uppercase
"""The names of the answers of one call."""


def list_criteria(criteria: Criteria, mode: Mode) -> str:
    """With weights where answers are only compared, with scales where they are scored."""
    lines = [
        f"{number}. {item.name}{_remark(criteria, item, mode)}: {item.description.strip()}"
        for number, item in enumerate(criteria.items, start=1)
    ]
    return "\n".join(lines)


def _remark(criteria: Criteria, item: Criterion, mode: Mode) -> str:
    if mode != "pairwise":
        return f" ({_range(criteria.scale_of(item))}{' points' if item.points else ''})"
    worth = item.points or item.weight
    is_even = all((other.points or other.weight) == worth for other in criteria.items)
    return "" if is_even else f" (weight {worth:g})"


def _range(scale: Scale) -> str:
    return f"{scale.min:g} to {scale.max:g}"


def score_form(names: Sequence[str], num_responses: int, mode: Mode) -> str:
    """The lines that a reply ends with. No number stands in them, so that an echo is no score."""
    blanks = [f"{name}: <number>" for name in names]
    if mode == "pointwise":
        return "\n".join(blanks)
    return "\n".join(
        f"Response {letter}: {', '.join(blanks)}" for letter in LETTERS[:num_responses]
    )
