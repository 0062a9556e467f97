"""A data set of a recipe: how it is read, and which of its rows are kept."""

from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract

DataFormat = Literal[
    "plaudit", "prompt", "gsm8k", "openr1_math", "messages", "ultrafeedback", "preference",
    "labelled", "grail", "humaneval", "mbpp",
]  # fmt: skip
FilterOp = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains"]
FilterValue = str | int | float | bool


class FilterRecipe(Contract):
    """Rows whose column fulfils it are kept. A null fulfils nothing but `!=` and `not in`."""

    column: str
    op: FilterOp
    value: FilterValue | list[FilterValue]

    @model_validator(mode="after")
    def has_a_list_where_it_needs_one(self) -> Self:
        if isinstance(self.value, list) != (self.op in ("in", "not in")):
            takes = "a list" if self.op in ("in", "not in") else "one value"
            raise ValueError(f"op {self.op!r} takes {takes}")
        return self


class SourceOptions(Contract):
    """How a data set is read."""

    format: DataFormat = "plaudit"
    """Which columns there are, and what they mean."""
    config: str | None = None
    """Of a data set on the hub."""
    revision: str | None = None
    """Of a data set on the hub: a commit, a tag or a branch."""
    columns: dict[str, str] = Field(default={}, max_length=64)
    """The format's name of a column: its name in the source."""
    filters: list[FilterRecipe] = Field(default=[], max_length=32)
    """By the format's names; a row fulfils all."""
    kind: str | None = Field(default=None, min_length=1, max_length=64)
    """Of rows for rollouts; absent: the row's own, or the format's."""


class SourceRecipe(SourceOptions):
    """One data set of a mixture."""

    path: str = Field(min_length=1)
    """As `data.train`."""
    split: str = "train"
    weight: float = Field(default=1.0, gt=0.0)
    """fraction: of the rows that are kept; probability: that the next row is from here."""
