"""The rewards and the judge that a recipe trains by."""

from typing import Any, Literal, Self

from pydantic import model_validator

from plaudit.schemas.judge import TournamentRules
from plaudit.schemas.mixing import Mixed

JUDGE_KEY = "judge"
"""The judge's reward stands under this name beside the others."""
OnMissing = Literal["mask", "wait", "drop"]


class RewardRecipe(Mixed):
    name: str
    params: dict[str, Any] = {}
    kinds: list[str] | None = None
    """Rows of which kinds it scores; all when absent."""


class JudgeRecipe(Mixed, TournamentRules):
    judge: str = "self"
    rubric: str = "sr_r1"
    kinds: list[str] | None = None

    @model_validator(mode="after")
    def needs_no_baseline(self) -> Self:
        if self.schedule == "anchor":
            raise ValueError(
                "schedule = 'anchor' compares with a baseline answer, which a recipe has not; "
                "choose another schedule"
            )
        return self
