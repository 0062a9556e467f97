"""Pure accuracy: GRAIL's next video, and whether an opinion rises or falls."""

import re
from typing import Any

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.reward import Context, Missing, Score, Vector, reward

_ANSWER = re.compile(r"<answer>([^<]*+)</answer>", re.IGNORECASE)
_OPTION = re.compile(r"(?:option\s*+)?([0-9]{1,9})", re.IGNORECASE)
_OPINIONS = [
    re.compile(rf"<{tag}>([^<]*+)</{tag}>", re.IGNORECASE)
    for tag in ("opinion", "opinion_change", "opiniondirection")
]
_NO_LETTERS = re.compile(r"[^a-z]+")
_LONGEST_LABEL_CHARS = 64
_LABELS = {
    "increase": ("increase", "increased", "higher", "rise", "rising", "up"),
    "decrease": ("decrease", "decreased", "lower", "drop", "falling", "down"),
    "no_change": (
        "same", "nochange", "nochanges", "nochg", "unchanged", "steady", "equal", "nodifference",
    ),
}  # fmt: skip
_LABEL_OF = {alias: label for label, aliases in _LABELS.items() for alias in aliases}


class PureAccuracyParams(Contract):
    allow_bare_number: bool = False
    """Whether a text without an <answer>, but a number and nothing else, counts as one."""


_2 = {"gold_index": 2, "n_options": 3}
_BOTH = {**_2, "opinion_direction": "increase"}
_SAME = {"opinion_direction": "same"}
_ANSWERED = "<think>hm</think><answer>2</answer>"


@reward(
    source="GRAIL (liv-daliberti/grail-simulation) pure_accuracy_reward, which gives 0 where no "
    "sub-task has a reference",
    vectors=[
        Vector([_ANSWERED, "<answer> Option 2\n</answer>", "<ANSWER>2</answer>"], [1, 1, 1], _2),
        Vector(["<answer>1</answer>", "<answer>2.</answer>", "2", ""], [0, 0, 0, 0], _2),
        Vector(["2", " option 2 ", "It is 2"], [1, 1, 0], _2, {"allow_bare_number": True}),
        Vector(["<answer>4</answer>"], [0], {"gold_index": 4, "n_options": 3}),
        Vector(["<answer>4</answer>"], [1], {"gold_index": 4}),
        Vector([f"{_ANSWERED}<opinion>Higher.</opinion>", _ANSWERED], [1.0, 0.5], _BOTH),
        Vector(["<opinion_change>up</opinion_change>", "<opinion>down</opinion>"], [0.5, 0], _BOTH),
        Vector(["<opinionDirection>no change</opinionDirection>"], [1], _SAME),
        Vector([_ANSWERED], [None]),
        Vector([_ANSWERED], [None], {"gold_index": 0, "opinion_direction": "?"}),
    ],
)  # fmt: skip
def pure_accuracy(group: RewardGroup, params: PureAccuracyParams, context: Context) -> list[Score]:
    """The mean over the sub-tasks that have a reference, so 0, 0.5 or 1: whether the number in the
    first `<answer>` ("2", "option 2") is `reference.gold_index`, from 1 to `reference.n_options`
    where that is given; whether `<opinion>`, `<opinion_change>` or `<opiniondirection>` says the
    same as `reference.opinion_direction` (increase, decrease, no_change, or a word like "higher").

    Null: neither of the two references is there.
    """
    option = _gold_option(group.reference.get("gold_index"))
    opinion = _label(group.reference.get("opinion_direction"))
    if option is None and opinion is None:
        missing = Missing("reference.gold_index and reference.opinion_direction are missing")
        return [missing] * len(group.completions)
    if option is not None and not _is_offered(option, group.reference.get("n_options")):
        option = 0  # which no answer is
    values: list[Score] = []
    for completion in group.completions:
        chosen = chosen_option(completion.text, allow_bare_number=params.allow_bare_number)
        right = [] if option is None else [chosen == option]
        right += [] if opinion is None else [_opinion(completion.text) == opinion]
        values.append(sum(right) / len(right))
    return values


def _gold_option(value: Any) -> int | None:
    is_index = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if is_index else None


def _is_offered(option: int, num_options: Any) -> bool:
    return not isinstance(num_options, int) or option <= num_options


def first_answer(text: str) -> str | None:
    """What the first `<answer>` says that is one line, and not blank."""
    return _first(_ANSWER, text)


def chosen_option(text: str, *, allow_bare_number: bool) -> int | None:
    """The number, from 1, in the first answer: "2", "option 2"."""
    answer = first_answer(text)
    if answer is None:
        answer = text.strip() if allow_bare_number else ""
    match = _OPTION.fullmatch(answer)
    return (int(match[1]) or None) if match else None


def _opinion(text: str) -> str | None:
    for pattern in _OPINIONS:
        label = _first(pattern, text)
        if label is not None:
            return _label(label)
    return None


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    """The first content that is one line, and not blank."""
    contents = (match[1].strip() for match in pattern.finditer(text))
    return next((one for one in contents if one and "\n" not in one), None)


def _label(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_LABEL_CHARS:
        return None
    return _LABEL_OF.get(_NO_LETTERS.sub("", value.lower()))
