"""The settings of a jury: a table [judge.judges.NAME]."""

from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit_judge.judges.base import SpecBase


class JurySpec(SpecBase):
    kind: Literal["jury"] = "jury"
    judges: list[str] = Field(min_length=2, max_length=16)
    """Names of other judges; none of them a jury."""
    combine: Literal["majority", "mean", "median", "weighted"] = "majority"
    """majority: the most frequent verdict; mean, median, weighted: of the points that the answer
    has with each member (1, 1/2 for a tie, 0), above one half it wins. Of scores: the mean, or for
    majority and median the median, of the members' fractions of the scale."""
    weights: list[float] | None = None
    """Of the members, in their order; only for combine = "weighted"."""
    quorum: int | None = Field(default=None, ge=1, le=16)
    """Members that must have an opinion, else there is no verdict; None: more than half."""

    @model_validator(mode="after")
    def fits(self) -> Self:
        if len(set(self.judges)) != len(self.judges):
            raise ValueError("judges: a member is named twice")
        if (self.weights is not None) != (self.combine == "weighted"):
            raise ValueError("weights belong to combine = 'weighted', which needs them")
        weights = self.weights or [1.0]
        if self.weights is not None and len(weights) != len(self.judges):
            raise ValueError(f"weights: {len(weights)} for {len(self.judges)} judges")
        if not all(0.0 <= weight < 1e9 for weight in weights) or not sum(weights) > 0.0:
            raise ValueError("weights: must be 0 or more, and not all 0")
        if self.needed() > len(self.judges):
            raise ValueError(f"quorum: {self.quorum} of {len(self.judges)} judges")
        return self

    def needed(self) -> int:
        return self.quorum or len(self.judges) // 2 + 1

    def weight_of(self, member: str) -> float:
        return self.weights[self.judges.index(member)] if self.weights else 1.0
