"""The keys of a judge that may ask in Message Batches."""

from typing import Any, Self

from pydantic import Field, model_validator

from plaudit_judge.judges.base import KeyedSpec

MAX_REQUESTS = 100_000
"""Of one batch, by the API's own limit."""
_MANY = 4096


class BatchSpec(KeyedSpec):
    batch: bool = False
    """Ask in Message Batches: half the price, answered within a day. For jobs only."""
    batch_max_requests: int = Field(default=1000, ge=1, le=MAX_REQUESTS)
    """Calls in one batch; when there are as many, it is sent at once."""
    batch_wait_s: float = Field(default=10.0, ge=0.0, le=3600.0)
    """A batch is sent this long after its first call came."""
    batch_poll_s: float = Field(default=30.0, gt=0.0, le=3600.0)
    """Between two questions whether a batch has ended."""
    batch_deadline_s: float = Field(default=86_400.0, gt=0.0, le=604_800.0)
    """Takes the place of deadline_s; a batch that takes longer is canceled."""

    @model_validator(mode="before")
    @classmethod
    def many_calls_wait_at_once(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("batch") is True:
            return {"max_concurrency": _MANY, **values}
        return values

    @model_validator(mode="after")
    def batches_are_on(self) -> Self:
        named = sorted(name for name in self.model_fields_set if name.startswith("batch_"))
        if named and not self.batch:
            raise ValueError(f"{named[0]} has no effect without batch = true")
        return self

    @property
    def answers_later(self) -> bool:
        return self.batch

    def deadline_s(self, default_s: float) -> float:
        return self.batch_deadline_s if self.batch else default_s
