"""Contract of POST /v1/reward of the judge service: a number for each answer."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.judge import JudgedRequest, Usage


class JudgeRewardRequest(JudgedRequest):
    responses: list[str] = Field(min_length=1, max_length=256)
    judge: str
    """One that gives rewards: of the kind nemotron, reward_model or rule."""
    reference: str | None = None
    """For judges that compare with one; others leave it aside."""


class JudgeRewardResponse(Contract):
    rewards: list[float | None]
    """Null where there is none."""
    reasons: list[str | None]
    """Why a reward is null."""
    comparable_within: Literal["prompt"] = "prompt"
    """Rewards of answers to different prompts say nothing about each other."""
    usage: Usage
