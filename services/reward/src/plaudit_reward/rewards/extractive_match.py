"""Extractive match: is the number that the text gives as its answer the right one?"""

import re
from collections import deque
from fractions import Fraction

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.layout import boxed_answer
from plaudit_reward.reference import after_hashes, answer_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward

MAX_NUMBER_CHARS = 256

_NUMBER = (
    r"((?<![\w)\]}])[-\u2212])?[$€£]?"
    r"((?:[0-9]++(?:,[0-9]{3}(?![0-9]))*|(?=\.[0-9]))(?:\.[0-9]++)?(?:/[0-9]++)?)"
)
_LAST = re.compile(_NUMBER)
# "answer is 3 + 4 = 7": equations up to the number belong to the anchor.
_EQUATIONS = r"(?:(?:[-+*/^()0-9 \t$xyn]|[.,](?=[0-9])){0,100}+=)*+"
_ANCHORED = re.compile(
    rf"answer(?:\s++(?:is|are)\b|\s*+[:=])\s*+{_EQUATIONS}[^0-9\n.]{{0,40}}?{_NUMBER}",
    re.IGNORECASE,
)
_UNIT = r"(?:%|°|\^\{?\\circ\}?)?(?:(?: |(?=[A-Za-z]{2}))[A-Za-z](?:[A-Za-z /.-]|\^\{?[23]\}?)*+)?"
_WHOLE = re.compile(rf"\$?\s?{_NUMBER} ?{_UNIT} ?\.?\$?")
_FRACTION = re.compile(r"(?<![0-9])\\[dt]?frac\{([0-9]++)\}\{([0-9]++)\}")
_TEXT = re.compile(r"\\(?:text|textbf|mathrm|mbox)\{([^{}]*)\}")
_PLAINER = (("\\$", "$"), ("\\%", "%"), ("{,}", ","), ("\\,", ""), ("\\!", ""), ("\\ ", " "))


class ExtractiveMatchParams(Contract):
    precision: int = Field(default=5, ge=0, le=12)
    """Decimals up to which the answer must agree with the reference."""


_18 = {"answer": "18"}
_1000 = {"answer": "2 * 500 = 1000\n#### 1,000"}


@reward(
    source="R1's evaluation, as lighteval `expr_gold_metric` on GSM8K",
    vectors=[
        Vector([r"17, \boxed{18}, 19", r"18, \boxed{17}", r"\boxed{7} \boxed{18}"], [1, 0, 1], _18),
        Vector(["The answer is 18, for 3 * 5 = 15", "Answer: $18. 2 left."], [1, 1], _18),
        Vector(["The answer is 9 + 9 = 18.", "answer is **17**, not 18"], [1, 0], _18),
        Vector(["18", "3 * 6 = 18.", "18 or 19", "eighteen", ""], [1, 1, 0, 0, 0], _18),
        Vector([r"\boxed{18\text{ km}}", r"\boxed{x = 18 km/h}", r"\boxed{18x}"], [1, 1, 0], _18),
        Vector(["$1,000.00", r"\boxed{\$1{,}000}", "1000 km", "10,00"], [1, 1, 1, 0], _1000),
        Vector(["50%", r"\boxed{50\%}", "0.5"], [1, 1, 0], {"answer": "50"}),
        Vector(["0.33333", "0.3333", r"$\frac{1}{3}$", "2/6"], [1, 0, 1, 1], {"answer": "1/3"}),
        Vector(["0.3333"], [1], {"answer": "1/3"}, {"precision": 4}),
        Vector(["-5", "5", "10-5", "It is -$5."], [1, 0, 0, 1], {"answer": -5}),
        Vector(["1/0", "1" * 257], [0, None], _18),
        Vector(["18"], [None]),
        Vector(["x"], [None], {"answer": "x"}),
    ],
)  # fmt: skip
def extractive_match(
    group: RewardGroup, params: ExtractiveMatchParams, context: Context
) -> list[Score]:
    r"""1.0 if the number in the last \boxed{}, else after the last "answer is" or "answer:", else
    the last one of the text, is that of `reference.answer` within half a unit of the decimal
    `precision`; 0.0 if it is another, or there is none.

    Commas between thousands, $, %, units and LaTeX around a number do not count: 50% is 50. The
    reference may be a GSM8K solution, with the answer after ####. Null: the reference is missing
    or is not a number (`accuracy` compares other mathematics), or a number has over 256 characters.
    """
    gold = _gold(answer_of(group))
    if isinstance(gold, Missing):
        return [gold] * len(group.completions)
    tolerance = Fraction(1, 2 * 10**params.precision)
    answers = [_answer(completion.text) for completion in group.completions]
    return [
        one if isinstance(one, Missing) else float(one is not None and abs(one - gold) < tolerance)
        for one in answers
    ]


def _gold(answer: str | Missing) -> Fraction | Missing:
    if isinstance(answer, Missing):
        return answer
    value = _number_in(_WHOLE.fullmatch(_content(after_hashes(answer))))
    return Missing("reference.answer is not a number") if value is None else value


def _answer(text: str) -> Fraction | Missing | None:
    boxed = boxed_answer(text)
    if boxed is not None:
        return _number_in(_WHOLE.fullmatch(_content(boxed)))
    text = _plain(text)
    for pattern in (_ANCHORED, _LAST):
        for match in deque(pattern.finditer(text), maxlen=1):
            return _number_in(match)
    return None


def _number_in(match: re.Match[str] | None) -> Fraction | Missing | None:
    if match is None:
        return None
    sign, digits = match.groups()
    if len(digits) > MAX_NUMBER_CHARS:
        return Missing(f"a number of more than {MAX_NUMBER_CHARS} characters")
    try:
        value = Fraction(digits.replace(",", ""))
    except (ValueError, ZeroDivisionError):  # 1.5/2, 1/0
        return None
    return -value if sign else value


def _content(boxed: str) -> str:
    """What follows the last equals sign, on one line with single spaces."""
    return " ".join(_TEXT.sub(r" \1 ", _plain(boxed)).rpartition("=")[2].split())


def _plain(text: str) -> str:
    for latex, plain in _PLAINER:
        text = text.replace(latex, plain)
    return _FRACTION.sub(r"\1/\2", text)
