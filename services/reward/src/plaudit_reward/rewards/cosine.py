"""Cosine: what a right or wrong answer earns changes with its length along a cosine."""

import math

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.lengths import Unit, length_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.rewards.accuracy import accuracy


class CosineParams(Contract):
    correct_short: float = Field(default=2.0, allow_inf_nan=False)
    """For a right answer of length 0 (the paper's r0^c)."""
    correct_long: float = Field(default=1.0, allow_inf_nan=False)
    """For a right answer of `max_length` (rL^c)."""
    wrong_short: float = Field(default=-10.0, le=0.0, allow_inf_nan=False)
    """For a wrong answer of length 0 (r0^w)."""
    wrong_long: float = Field(default=0.0, le=0.0, allow_inf_nan=False)
    """For a wrong answer of `max_length` (rL^w)."""
    exceed: float | None = Field(default=-10.0, allow_inf_nan=False)
    """For an answer within `margin` of `max_length`, or longer, right or wrong (r_e); null: what
    the cosine gives, and beyond `max_length` what it gives there."""
    max_length: int = Field(default=14336, ge=1)
    """Where the cosine ends: the most that may be generated (L_max)."""
    margin: int = Field(default=16, ge=0)
    """How far below `max_length` the exceeding starts."""
    unit: Unit = "tokens"
    """What lengths are counted in."""


_PAPER = {"max_length": 1000}
_OPEN_R1 = {
    "correct_short": 1.0, "correct_long": 0.5, "wrong_short": -1.0, "wrong_long": -0.5,
    "exceed": None, "max_length": 8, "unit": "characters",
}  # fmt: skip
_R1 = {
    "correct_short": 1.0, "correct_long": 0.0, "wrong_short": -1.0, "wrong_long": 0.0,
    "exceed": 0.0, "max_length": 512,
}  # fmt: skip
_FOUR = {"answer": "4"}
_RIGHT, _WRONG = ["4"] * 4, ["5"] * 4


@reward(
    source="Yeo et al., Demystifying Long Chain-of-Thought Reasoning, arXiv 2502.03373, and its "
    "code; Open-R1's has no exceeding, and rises again beyond the end",
    vectors=[
        Vector(_RIGHT, [2.0, 1.853553, 1.5, 1.146447], _FOUR, _PAPER, [0, 250, 500, 750]),
        Vector(_WRONG, [-10.0, -8.535534, -5.0, -1.464466], _FOUR, _PAPER, [0, 250, 500, 750]),
        Vector(["4", "4", "5", "5"], [-10] * 4, _FOUR, _PAPER, [984, 1000, 984, 10**9]),
        Vector(["4", "5"], [1.000713, -0.0071290944], _FOUR, _PAPER, [983, 983]),
        Vector(["4", "5"], [1.0, 0.0], _FOUR, {**_PAPER, "exceed": None}, [1000, 1500]),
        Vector(["4", "5", "5"], [0.5, -0.5, 0.0], _FOUR, _R1, [256, 256, 496]),
        Vector(["4", "It is: 4", "It is all 4"], [0.980970, 0.5, 0.5], _FOUR, _OPEN_R1),
        Vector(["", "It is: 5", "It is all 5"], [-1.0, -0.5, -0.5], _FOUR, _OPEN_R1),
        Vector(["4", "4"], [None, 2.0], _FOUR, {}, [None, 0]),
        Vector(["4", "5"], [None, None], {}, {}, [7, 8]),
    ],
)
async def cosine(group: RewardGroup, params: CosineParams, context: Context) -> list[Score]:
    """long + (short - long) · (1 + cos(π · len / max_length)) / 2, where short and long are
    `correct_short` and `correct_long` for a right answer, `wrong_short` and `wrong_long` for a
    wrong one, and len counts tokens or characters; `exceed` if len + margin ≥ max_length.

    The defaults are the paper's. Open-R1's are 1, 0.5, -1, -0.5, exceed null, max_length 1000
    characters. Right means that the reward `accuracy` gives 1.0; null where that is null, save for
    answers that exceed: they get the same whatever they say.
    """
    correct = await context.score(accuracy)
    lengths = [length_of(completion, params.unit) for completion in group.completions]
    return [_value(*pair, params) for pair in zip(lengths, correct, strict=True)]


def _value(length: int | Missing, right: Score, params: CosineParams) -> Score:
    if isinstance(length, Missing):
        return length
    if params.exceed is not None and length + params.margin >= params.max_length:
        return params.exceed
    if isinstance(right, Missing):
        return right
    if right == 1.0:
        return _between(params.correct_short, params.correct_long, length / params.max_length)
    return _between(params.wrong_short, params.wrong_long, length / params.max_length)


def _between(short: float, long: float, progress: float) -> float:
    return long + 0.5 * (short - long) * (1.0 + math.cos(math.pi * min(progress, 1.0)))
