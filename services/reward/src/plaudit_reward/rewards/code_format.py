"""Code format: thinking, then an answer with a block of code, in tags."""

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.layout import answer_part
from plaudit_reward.reward import Context, Score, Vector, reward

_OPENING = "<think>\n"
_MIDDLE = "\n</think>\n<answer>\n"
_CLOSING = "\n</answer>"
_FENCE = "```"


class CodeFormatParams(Contract):
    language: str = Field(default="python", pattern=r"^[A-Za-z0-9+#._-]{1,32}$")
    """What the block is marked with, where `reference.language` does not say it."""


_GOOD = "<think>\nhm\n</think>\n<answer>\nSo:\n```python\nprint(4)\n```\n</answer>"


@reward(
    source="Open-R1 rewards.py `get_code_format_reward`, less its MULTILINE flag, by which text "
    "after `</answer>` passes, and with the whole of the block's mark compared",
    vectors=[
        Vector([_GOOD, f"{_GOOD}\n", f"{_GOOD}\nmore", f" {_GOOD}", ""], [1, 1, 0, 0, 0]),
        Vector([_GOOD.replace("python", "python3"), _GOOD.replace("```\n<", "<")], [0, 0]),
        Vector([_GOOD, _GOOD.replace("python", "cpp")], [0, 1], {"language": "cpp"}),
        Vector([_GOOD, _GOOD.replace("python", "c++")], [0, 1], {}, {"language": "c++"}),
        Vector(["<think>\n```python\n4\n```\n</think>\n<answer>\n4\n</answer>"], [0]),
    ],
)
def code_format(group: RewardGroup, params: CodeFormatParams, context: Context) -> list[Score]:
    """1.0 if the whole text is as `format` wants it and its answer has a closed block of code that
    is marked with the language, else 0.0.

    The language is `reference.language` where it is text, else the parameter `language`.
    """
    language = group.reference.get("language")
    mark = f"{_FENCE}{language if isinstance(language, str) else params.language}\n"
    return [float(_has_block(one.text, mark)) for one in group.completions]


def _has_block(text: str, mark: str) -> bool:
    """The answer is taken as long as may be: what a shorter one has, it has, too."""
    answer = answer_part(text.removesuffix("\n"), _OPENING, _MIDDLE, _CLOSING)
    if answer is None:
        return False
    start = answer.find(mark)
    return start >= 0 and answer.find(_FENCE, start + len(mark)) >= 0
