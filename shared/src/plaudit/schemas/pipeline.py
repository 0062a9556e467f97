"""A pipeline: recipes run one after the other, and what became of each."""

from typing import Any, Literal

from pydantic import Field

from plaudit.schemas.common import Contract

StageKind = Literal["train", "evaluate"]
StageState = Literal["pending", "running", "finished", "failed", "stopped"]


class Stage(Contract):
    """One recipe. `{NAME.final}` and `{NAME.run}` in `set` and `env` stand for the trained model
    and the run's directory of an earlier stage."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    recipe: str = Field(min_length=1)
    """A file, from beside the pipeline's, or the name of a shipped recipe."""
    kind: StageKind = "train"
    """evaluate: held-out accuracy of an online recipe's model, and no training."""
    set: dict[str, Any] = {}
    """Settings of the recipe that are different here, by their dotted names."""
    env: dict[str, str] = {}
    """PLAUDIT_* variables of the services that `--up` starts for this stage; never keys."""


class PipelineFile(Contract):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    stages: list[Stage] = Field(min_length=1, max_length=64)


class StageMetric(Contract):
    """What a stage is judged by, on held-out data. An evaluation has nothing but `before`."""

    name: str
    before: float | None = None
    after: float | None = None
    gain: float | None = None
    gain_ci95: tuple[float, float] | None = None


class StageResult(Contract):
    name: str
    kind: StageKind
    state: StageState = "pending"
    wall_s: float = 0.0
    """Of all attempts."""
    metric: StageMetric | None = None
    error: str | None = None


class PipelineSummary(Contract):
    """`pipeline.json`: written anew whenever the state of a stage changes."""

    name: str
    pipeline_id: str
    created_at: str
    stages: list[StageResult]
