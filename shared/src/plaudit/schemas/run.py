"""Contracts of a training run: scored groups, the ledger, the status, the summary."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.policy import PolicyReplica
from plaudit.schemas.reward import CompletionScore
from plaudit.schemas.rollout import RolloutGroup


class StageTimes(Contract):
    """Seconds that one group spent in each stage, by stage name."""

    seconds: dict[str, float] = {}


class Unit(Contract):
    """Tokens [start, end) of a completion, and what its reward loses without them."""

    start: int = Field(ge=0)
    end: int = Field(ge=1)
    difference: float | None
    """R - R(unit blanked, the rest cut off); null where that reward is missing."""


class ReadyGroup(Contract):
    """A scored group on its way to the learner. `scores[i]` belongs to `rollout.completions[i]`."""

    group_id: str
    kind: str
    rollout: RolloutGroup
    scores: list[CompletionScore]
    units: list[list[Unit]] = []
    """Of each completion, in their order; empty where the method has no use for units."""
    admitted_at: float
    ready_at: float
    times: StageTimes = StageTimes()


class Ledger(Contract):
    """admitted == trained + sum(dropped) + in_flight, at every moment."""

    admitted: int
    trained: int
    dropped: dict[str, int]
    in_flight: int

    def is_closed(self) -> bool:
        """Every admitted group is accounted for and none is still on its way."""
        return self.in_flight == 0 and self.admitted == self.trained + sum(self.dropped.values())


class StageStatus(Contract):
    name: str
    queued: int
    running: int
    done: int
    failed: int


class Waiting(Contract):
    """Who waits, for what, since when (seconds ago)."""

    who: str
    what: str
    since_s: float


class RunStatus(Contract):
    run_id: str
    state: Literal["starting", "evaluating", "training", "finished", "failed"]
    failure: str | None = None
    failure_is_setting: bool = False
    """Something has to be changed before the run is resumed: a setting, a key, the disk."""
    step: int
    max_steps: int
    policy_version: int | None
    stages: list[StageStatus]
    ledger: Ledger
    groups_per_s: float | None
    tokens_per_s: float | None
    reward: float | None
    accuracy: float | None
    staleness_mean: float | None
    replicas: list[PolicyReplica]
    oldest_group_age_s: float | None
    waiting: list[Waiting]


class Summary(Contract):
    """`summary.json` of a finished run."""

    run_id: str
    accuracy_before: float | None
    accuracy_after: float | None
    accuracy_gain: float | None
    accuracy_gain_ci95: tuple[float, float] | None
    greedy_before: float | None
    greedy_after: float | None
    num_eval_prompts: int
    steps: int
    wall_s: float
    groups_per_s: float
    ledger: Ledger
    replayed_groups: int = 0
    """Trained again besides the ledger's, with pipeline.replay."""
    staleness: dict[str, float]
    time_s: dict[str, float]
    weight_updates: int
    restarts: dict[str, int] = {}


OfflineState = Literal["evaluating", "training", "finished"]


class OfflineStatus(Contract):
    """`status.json` of an offline run."""

    run_id: str
    state: OfflineState
    step: int
    max_steps: int
    metric: str
    value: float | None
    """The metric of the held-out rows, as last evaluated."""
    loss: float | None = None
    tokens_per_s: float | None = None


class OfflineSummary(Contract):
    """`summary.json` of a finished offline run."""

    run_id: str
    method: str
    metric: str
    """Of a held-out row; `before` and `after` are means, `gain` is paired by row."""
    before: float | None
    after: float | None
    gain: float | None
    gain_ci95: tuple[float, float] | None
    num_eval_rows: int
    steps: int
    skipped_steps: int
    wall_s: float
    tokens_per_s: float
    restarts: dict[str, int] = {}
