"""Format: thinking, then the answer, in tags."""

from plaudit.schemas.reward import RewardGroup
from plaudit_reward.layout import answer_part
from plaudit_reward.reward import Context, NoParams, Score, Vector, reward

_OPENING = "<think>\n"
_MIDDLE = "\n</think>\n<answer>\n"
_CLOSING = "\n</answer>"
_GOOD = "<think>\nI add.\n</think>\n<answer>\n4\n</answer>"


@reward(
    source="Open-R1 rewards.py `format_reward`, less its MULTILINE flag, by which text after "
    "`</answer>` passes",
    vectors=[
        Vector([_GOOD, _GOOD + "\n", f"{_GOOD}\nmore", f" {_GOOD}", "4", ""], [1, 1, 0, 0, 0, 0]),
        Vector(["<think>\n\n</think>\n<answer>\n\n</answer>"], [1]),
        Vector(["<think>\n</think>\n<answer>\n4\n</answer>"], [0]),
    ],
)
def format(group: RewardGroup, params: NoParams, context: Context) -> list[Score]:
    """1.0 if the whole text is `<think>`, thoughts, `</think>`, `<answer>`, an answer and
    `</answer>`, each tag on its own line, else 0.0.

    As the regular expression `<think>\\n.*?\\n</think>\\n<answer>\\n.*?\\n</answer>\\n?` on the
    whole text, where `.` is any character.
    """
    return [float(_is_formatted(completion.text)) for completion in group.completions]


def _is_formatted(text: str) -> bool:
    return answer_part(text.removesuffix("\n"), _OPENING, _MIDDLE, _CLOSING) is not None
