"""The words or the LaTeX that a text gives as its answer, found in linear time."""

import re

from plaudit_reward.layout import boxed_answer, tagged_answer

_DELIMITERS = ("\\(", "\\)", "\\[", "\\]")
_NUMBER = re.compile(
    r"(?:(?<![\w)])-)?[0-9]+(?:,[0-9]{3}(?![0-9]))*(?:\.[0-9]+)?(?:/[0-9]+)?", re.ASCII
)
_MATHS = re.compile(r"[0-9\\]")


def final_answer(text: str) -> str | None:
    r"""What is in the last \boxed{}, else in the last <answer>, else the last formula with a LaTeX
    command, else the last number; None where there is none of these.

    Normalised: one space where there is any, no full stop at the end, no commas between the digits
    of a number, and lower case where there is neither a digit nor a backslash.
    """
    tagged = tagged_answer(text)
    part = text if tagged is None else tagged
    for found in (boxed_answer(part), tagged, _last_formula(text), _last_number(text)):
        if found is not None:
            return _normalised(found) or None
    return None


def is_maths(answer: str) -> bool:
    """Whether it makes sense to compare it as mathematics: names are not products of letters."""
    return bool(_MATHS.search(answer))


def is_number(answer: str) -> bool:
    return bool(_NUMBER.fullmatch(answer))


def _last_formula(text: str) -> str | None:
    for delimiter in _DELIMITERS:
        text = text.replace(delimiter, "$")
    # Four delimiters from the end, so that $$ is met as well as $.
    formulas = [part for part in text.rsplit("$", 4)[1:-1] if "\\" in part]
    return formulas[-1] if formulas else None


def _last_number(text: str) -> str | None:
    numbers = _NUMBER.findall(text)
    return numbers[-1] if numbers else None


def _normalised(answer: str) -> str:
    answer = " ".join(answer.split()).removesuffix(".").strip("$ ")
    if is_number(answer):
        return answer.replace(",", "")
    return answer if is_maths(answer) else answer.casefold()
