"""Choice: is the option that the text chooses the right one?"""

import re
import string
from collections import deque

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.layout import boxed_answer, tagged_answer
from plaudit_reward.reference import answer_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward


class ChoiceParams(Contract):
    num_options: int = Field(default=4, ge=2, le=26)
    """How many letters may be chosen: with 4, A to D."""


# (B), **B**, \text{B}, Option B, B. Paris; in a box or tag also in lower case.
_WHOLE = re.compile(
    r"(?:\\(?:text|textbf|mathrm)\{|[(\[{*_$\"'\s])*+(?:(?:option|choice)\s++\(?)?+"
    r"([A-Z])(?:[)\].:].*|[)\]}*_$\"'\s]*+[.]?)",
    re.IGNORECASE | re.DOTALL,
)
_ANCHORED = re.compile(
    r"(?i:answer(?:\s++is\b|\s*+:)[:\s(\[*_$]*+(?:(?:option|choice)\s++\(?)?+)"
    r"([A-Z])(?![A-Za-z0-9'\u2019])()"
)
_ALONE = re.compile(r"\(([A-Z])\)|^[ \t*_]{0,8}([A-Z])[).:]?[ \t*_]{0,8}$", re.MULTILINE)

_B = {"answer": "B"}


@reward(
    source="the letter of multiple-choice evaluations, as simple-evals `Answer: LETTER` on GPQA "
    "and lighteval's IndicesExtractionConfig",
    vectors=[
        Vector(["B", "(B)", "B.", "**B**", "B) Paris", " b "], [1] * 6, _B),
        Vector(["Answer: B", "The answer is (B), not A.", "answer is: option B"], [1, 1, 1], _B),
        Vector([r"\boxed{B}", r"\boxed{\text{B}}", "<answer>\nb\n</answer>"], [1, 1, 1], _B),
        Vector([r"Answer: B. \boxed{A}", "Answer: B. Answer: C"], [0, 0], _B),
        Vector(["<answer>AB</answer>", "Answer: I say B, or\nB."], [0, 1], _B),
        Vector(["(A) or (B)?\nB", "I choose (B).", "A (B) fine day"], [1, 1, 1], _B),
        Vector(["A", "Both", "E", "A or B", "B or not", "Be it", ""], [0] * 7, _B),
        Vector(["E"], [1], {"answer": "(e)"}, {"num_options": 5}),
        Vector(["B"], [None]),
        Vector(["B", "E"], [None, None], {"answer": "E"}),
    ],
)  # fmt: skip
def choice(group: RewardGroup, params: ChoiceParams, context: Context) -> list[Score]:
    r"""1.0 if the letter chosen is that of `reference.answer`, else 0.0: the one in the last
    \boxed{}, else in the last <answer>, else after the last "answer is" or "answer:", else the last
    one in brackets or alone on its line, else the one that a text of one line begins with ("B.").

    Null: the reference is missing, or is none of the first `num_options` letters.
    """
    gold = answer_of(group)
    if isinstance(gold, Missing):
        return [gold] * len(group.completions)
    letters = string.ascii_uppercase[: params.num_options]
    letter = _letter(gold)
    if letter is None or letter not in letters:
        missing = Missing(f"reference.answer is none of the letters A to {letters[-1]}")
        return [missing] * len(group.completions)
    return [float(_chosen(completion.text, letters) == letter) for completion in group.completions]


def _chosen(text: str, letters: str) -> str | None:
    for part in (boxed_answer(text), tagged_answer(text)):
        if part is not None:
            return _letter(part)
    for pattern in (_ANCHORED, _ALONE):
        found = (match[1] or match[2] for match in pattern.finditer(text))
        for letter in deque((one for one in found if one in letters), maxlen=1):
            return letter
    return None if "\n" in text.strip() else _letter(text)


def _letter(text: str) -> str | None:
    match = _WHOLE.fullmatch(text.strip())
    return match[1].upper() if match else None
