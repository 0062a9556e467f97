"""R1's five rewards for GSM8K: the answer, and the layout <reasoning>, <answer> in parts.

Together they give at most 4.
"""

import re

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.layout import answer_part
from plaudit_reward.reference import after_hashes, answer_of
from plaudit_reward.reward import Context, Missing, NoParams, Score, Vector, reward

_OPENING = "<reasoning>\n"
_MIDDLE = "\n</reasoning>\n<answer>\n"
_CLOSING = "\n</answer>\n"
_SOFT_OPENING = "<reasoning>"
_SOFT_MIDDLE = re.compile(r"</reasoning>\s*<answer>")
_SOFT_CLOSING = "</answer>"

_SOURCE = "src/rewards.py of tienanh28122000/R1, after the gist grpo_demo.py"
_GOOD = "<reasoning>\nI add.\n</reasoning>\n<answer>\n18\n</answer>\n"
_LONG = "<reasoning>\nI think.\nI add.\n</reasoning>\n<answer>\n18\n</answer>\n"
_UNENDED = _GOOD.removesuffix("\n")
_18 = {"answer": "18"}
_PUBLISHED = {"as_published": True}


class StrictFormatParams(Contract):
    multiline: bool = False
    """Whether reasoning and answer may have several lines; R1 allows one each."""


class XmlCountParams(Contract):
    as_published: bool = False
    """R1's own arithmetic: a text that ends right after `</answer>` loses 0.001 for each of its
    characters, and gets 0.001 back."""


@reward(
    source=_SOURCE,
    vectors=[
        Vector([_GOOD, "18", "<answer>17</answer> <answer> 18 ", ""], [2, 2, 2, 0], _18),
        Vector(["18.0", "$18", "It is 18", f"{_GOOD}<answer>19"], [0, 0, 0, 0], _18),
        Vector(["1000", "1,000"], [2, 0], {"answer": "3 > 2, so\n#### $1,000"}),
        Vector(["18", "18"], [2, 2], {"answer": 18}),
        Vector(["18"], [None]),
    ],
)
def correctness(group: RewardGroup, params: NoParams, context: Context) -> list[Score]:
    """2.0 if the answer is the gold one, character by character, else 0.0.

    The answer stands between the last `<answer>` and the next `</answer>`; without a tag it is the
    whole text. The gold one is `reference.answer`, after its last `####` where it has one, without
    commas and dollar signs. Blanks around both do not count. Null: the reference is missing.
    """
    gold = answer_of(group)
    if isinstance(gold, Missing):
        return [gold] * len(group.completions)
    gold = after_hashes(gold).replace(",", "").replace("$", "")
    return [2.0 * (_answer(one.text) == gold) for one in group.completions]


@reward(
    name="int",
    source=_SOURCE + "; digits are 0 to 9 here",
    vectors=[
        Vector([_GOOD, "18", " 007 ", "<answer>18</answer> dollars"], [0.5, 0.5, 0.5, 0.5]),
        Vector(["-18", "18.0", "1,000", "It is 18", "²", ""], [0, 0, 0, 0, 0, 0]),
    ],
)
def is_int(group: RewardGroup, params: NoParams, context: Context) -> list[Score]:
    """0.5 if the answer, as `correctness` takes it from the text, is digits and nothing else (no
    sign, no decimals), else 0.0. It does not look at whether the answer is right.
    """
    answers = [_answer(completion.text) for completion in group.completions]
    return [0.5 * (answer.isascii() and answer.isdigit()) for answer in answers]


@reward(
    source=_SOURCE + "; there an empty line after the text passes",
    vectors=[
        Vector([_GOOD, _UNENDED, f"{_GOOD}\n", f"{_GOOD}more", ""], [0.5, 0, 0, 0, 0]),
        Vector([_LONG, f" {_GOOD}", f"so\n{_GOOD}"], [0, 0, 0]),
        Vector([_LONG, _GOOD, f"{_LONG}more"], [0.5, 0.5, 0], params={"multiline": True}),
    ],
)
def strict_format(group: RewardGroup, params: StrictFormatParams, context: Context) -> list[Score]:
    """0.5 if the whole text is six lines, `<reasoning>`, the reasoning, `</reasoning>`,
    `<answer>`, the answer and `</answer>`, each with its newline, else 0.0.

    With `multiline`, reasoning and answer may have more lines than one.
    """
    return [0.5 * _is_strict(one.text, params.multiline) for one in group.completions]


@reward(
    source=_SOURCE,
    vectors=[
        Vector([_GOOD, _LONG, _UNENDED, f"{_GOOD}more"], [0.5, 0.5, 0.5, 0.5]),
        Vector(["<reasoning>a</reasoning> \n <answer></answer>"], [0.5]),
        Vector([f" {_GOOD}", "<reasoning>a</reasoning> so <answer>4</answer>"], [0, 0]),
        Vector(["<reasoning>a</reasoning><answer>4", "18", ""], [0, 0, 0]),
    ],
)
def soft_format(group: RewardGroup, params: NoParams, context: Context) -> list[Score]:
    """0.5 if the text begins with `<reasoning>`, anything, `</reasoning>`, at most blanks,
    `<answer>`, anything and `</answer>`, else 0.0. What follows does not count.
    """
    return [0.5 * _is_soft(completion.text) for completion in group.completions]


@reward(
    source=_SOURCE + "; `as_published` is its value for texts without a newline at the end",
    vectors=[
        Vector([_GOOD, _LONG, _UNENDED], [0.5, 0.5, 0.5]),
        Vector([f"{_GOOD}more", f"{_UNENDED}more"], [0.492, 0.497]),
        Vector(["<reasoning>\na", "\n<answer>\n", _GOOD + _GOOD, ""], [0.125, 0.125, 0, 0]),
        Vector([_GOOD, f"{_GOOD}more"], [0.5, 0.492], params=_PUBLISHED),
        Vector([_UNENDED, f"{_UNENDED}more"], [0.448, 0.44], params=_PUBLISHED),
        Vector(["\n<answer>\n", ""], [0.115, 0.0], params=_PUBLISHED),
    ],
)
def xml_count(group: RewardGroup, params: XmlCountParams, context: Context) -> list[Score]:
    """0.125 for each of `<reasoning>`, `</reasoning>`, `<answer>` and `</answer>` that, alone on
    its line, occurs exactly once; less 0.001 for each character after the line of `</answer>`, if
    `<answer>` occurs once, and 0.001 again, if `</answer>` does.
    """
    return [_xml_count(one.text, params.as_published) for one in group.completions]


def _answer(text: str) -> str:
    return text.rpartition("<answer>")[2].partition("</answer>")[0].strip()


def _is_strict(text: str, multiline: bool) -> bool:
    answer = answer_part(text, _OPENING, _MIDDLE, _CLOSING)
    return answer is not None and (multiline or text.count("\n") == 6)


def _is_soft(text: str) -> bool:
    """If nothing closes the first answer, nothing closes a later one."""
    if not text.startswith(_SOFT_OPENING):
        return False
    middle = _SOFT_MIDDLE.search(text, len(_SOFT_OPENING))
    return middle is not None and text.find(_SOFT_CLOSING, middle.end()) >= 0


def _xml_count(text: str, as_published: bool) -> float:
    after_line = _length_after(text, "\n</answer>\n", as_published)
    after_tag = _length_after(text, "\n</answer>", as_published) - 1
    if not as_published:
        after_tag = max(0, after_tag)
    value = 0.125 * (text.count("<reasoning>\n") == 1)
    value += 0.125 * (text.count("\n</reasoning>\n") == 1)
    value += (0.125 - 0.001 * after_line) * (text.count("\n<answer>\n") == 1)
    return value + (0.125 - 0.001 * after_tag) * (text.count("\n</answer>") == 1)


def _length_after(text: str, tag: str, as_published: bool) -> int:
    """Where the tag is missing, R1 takes the whole text to come after it."""
    _, found, after = text.rpartition(tag)
    return len(after) if found or as_published else 0
