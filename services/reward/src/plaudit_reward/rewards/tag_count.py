"""Tag count: partial credit for the format."""

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.reward import Context, Score, Vector, reward

_TAGS = ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")


class TagCountParams(Contract):
    as_published: bool = False
    """Open-R1's own count, in which text after `</answer>` costs nothing."""


_GOOD = "<think>\na\n</think>\n<answer>\n4\n</answer>"


@reward(
    source="Open-R1 rewards.py `tag_count_reward`, where text may follow",
    vectors=[
        Vector([_GOOD, "4"], [1.0, 0.0]),
        Vector(["<think>\na\n</think>\n", "<think>\n<think>\n", ""], [0.5, 0.0, 0.0]),
        Vector([f"{_GOOD}\n", f"{_GOOD} more"], [1.0, 0.75]),
        Vector([f"{_GOOD} more"], [1.0], params={"as_published": True}),
    ],
)
def tag_count(group: RewardGroup, params: TagCountParams, context: Context) -> list[Score]:
    """0.25 for each of the four tags, with its newlines, that occurs exactly once; the last one,
    `</answer>`, must end the text, but for blanks.
    """
    return [_share(one.text, params.as_published) for one in group.completions]


def _share(text: str, as_published: bool) -> float:
    found = [text.count(tag) == 1 for tag in _TAGS]
    if not as_published and not text.rstrip().endswith(_TAGS[-1]):
        found[-1] = False
    return 0.25 * sum(found)
