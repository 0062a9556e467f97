"""Soft overlong: a penalty that grows before the token limit cuts."""

from pydantic import Field, ValidationInfo, field_validator

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.lengths import length_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward


class SoftOverlongParams(Contract):
    max_tokens: int = Field(default=16384, ge=1)
    """From here on the penalty is whole: the most that may be generated (M)."""
    cache_tokens: int = Field(default=4096, ge=0, validate_default=True)
    """Over so many tokens before `max_tokens` it grows (C); 0: it comes at once."""

    @field_validator("cache_tokens")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("max_tokens", value):
            raise ValueError(
                f"cache_tokens = {value} is more than max_tokens = {info.data['max_tokens']}; "
                "set cache_tokens to at most max_tokens"
            )
        return value


_SMALL = {"max_tokens": 100, "cache_tokens": 20}
_HARD = {"max_tokens": 100, "cache_tokens": 0}


@reward(
    source="DAPO, arXiv 2503.14476 eq. 13, as in Open-R1 `soft_overlong_punishment`",
    vectors=[
        Vector(["a"] * 5, [0.0, 0.0, -0.5, -1.0, -1.0], {}, _SMALL, [0, 80, 90, 100, 101]),
        Vector(["a"] * 3, [0.0, -0.25, -1.0], {}, {}, [12288, 13312, 10**9]),
        Vector(["a"] * 2, [0.0, -1.0], {}, _HARD, [100, 101]),
        Vector(["", "a"], [0.0, None], {}, _SMALL, [0, None]),
    ],
)
def soft_overlong(group: RewardGroup, params: SoftOverlongParams, context: Context) -> list[Score]:
    """0 up to M - C tokens, then (M - C - len) / C, which is -1 at M, and -1 beyond, where M is
    `max_tokens` and C `cache_tokens`. It does not look at what the answer says.

    Null: the number of tokens is unknown.
    """
    lengths = [length_of(completion, "tokens") for completion in group.completions]
    return [one if isinstance(one, Missing) else _value(one, params) for one in lengths]


def _value(length: int, params: SoftOverlongParams) -> float:
    if length > params.max_tokens:
        return -1.0
    tokens_over = length - (params.max_tokens - params.cache_tokens)
    return -tokens_over / params.cache_tokens if tokens_over > 0 else 0.0
