"""Tag count: partial credit for the format."""

from plaudit.schemas.reward import RewardGroup
from plaudit_reward.reward import Context, NoParams, Score, Vector, reward

_TAGS = ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")


@reward(
    source="Open-R1 rewards.py `tag_count_reward`; algorithms.md §2.6",
    vectors=[
        Vector(["<think>\na\n</think>\n<answer>\n4\n</answer>", "4"], [1.0, 0.0]),
        Vector(["<think>\na\n</think>\n", "<think>\n<think>\n", ""], [0.5, 0.0, 0.0]),
    ],
)
def tag_count(group: RewardGroup, params: NoParams, context: Context) -> list[Score]:
    """0.25 for each of the four tags, with its newlines, that occurs exactly once."""
    return [sum(0.25 * (one.text.count(tag) == 1) for tag in _TAGS) for one in group.completions]
