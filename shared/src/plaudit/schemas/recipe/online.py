"""The recipe of online training."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract
from plaudit.schemas.mixing import RecipeMixing
from plaudit.schemas.recipe.method import MethodRecipe
from plaudit.schemas.recipe.replay import ReplayRecipe
from plaudit.schemas.recipe.rewards import JUDGE_KEY, JudgeRecipe, OnMissing, RewardRecipe
from plaudit.schemas.recipe.run import RunRecipe


class SelectionRecipe(Contract):
    """Which prompts are worth their rollouts, by how often their completions were correct."""

    by: Literal["all", "unsolved", "learnability"] = "all"
    """unsolved: neither solved nor hopeless ones; learnability: rather those solved half the time.
    What counts as correct is said by `eval.reward_by_kind`; rows of other kinds get every turn."""
    solved_at: float = Field(default=1.0, gt=0.0, le=1.0)
    hopeless_at: float = Field(default=0.0, ge=0.0, lt=1.0)
    floor: float = Field(default=0.1, gt=0.0, le=1.0)
    """Least share of its turns that a prompt is given."""
    memory: float = Field(default=1.0, gt=0.0, le=1.0)
    """Weight of the newest group in a prompt's success rate; 1: nothing else counts."""

    @model_validator(mode="after")
    def something_is_between(self) -> Self:
        if self.hopeless_at >= self.solved_at:
            raise ValueError(f"hopeless_at = {self.hopeless_at} is not under solved_at")
        return self


class PipelineRecipe(Contract):
    groups_per_step: int = Field(default=16, ge=1)
    max_staleness: int = Field(default=1, ge=0)
    """In steps. 0 is synchronous training."""
    reward_timeout_s: float = Field(default=60.0, gt=0.0)
    on_missing: OnMissing = "mask"
    """mask: train without it; wait: retry until stall_timeout_s; drop: drop the group."""
    rollout_timeout_s: float = Field(default=600.0, gt=0.0)
    stall_timeout_s: float = Field(default=300.0, gt=0.0)
    reward_delay_s: float = Field(default=0.0, ge=0.0)
    """Latency added to every reward call: for benchmarks only."""
    selection: SelectionRecipe = SelectionRecipe()
    replay: ReplayRecipe | None = None


class EvalRecipe(Contract):
    num_prompts: int = Field(default=200, ge=0)
    """0 switches evaluation off."""
    samples: int = Field(default=4, ge=1)
    greedy: bool = True
    reward_by_kind: dict[str, str] = {}
    """Which reward counts as accuracy for a kind of row; other kinds are not evaluated."""
    correct_at: float = 1.0
    """A sample is correct when that reward is at least this."""
    num_sample_rows: int = Field(default=12, ge=0)
    """Prompts shown before and after in the report."""


class Recipe(RunRecipe):
    """Online training: rollouts, scored by services."""

    rewards: list[RewardRecipe] = []
    judge: JudgeRecipe | None = None
    reward_models: dict[str, dict[str, Any]] = Field(default={}, max_length=64)
    """Tables as [reward.models.NAME] of plaudit.toml, for a reward service that the run starts
    itself. `seed` is a path; a discriminator's versions are kept in the run's directory."""
    mixing: RecipeMixing = RecipeMixing()
    method: MethodRecipe = MethodRecipe()
    pipeline: PipelineRecipe = PipelineRecipe()
    eval: EvalRecipe = EvalRecipe()

    @model_validator(mode="after")
    def has_a_reward(self) -> Self:
        if not self.rewards and self.judge is None:
            raise ValueError("rewards: empty, and there is no [judge]; name at least one reward")
        return self

    @model_validator(mode="after")
    def replay_is_corrected(self) -> Self:
        weights = self.method.importance_sampling.level != "none"
        if self.pipeline.replay is not None and not weights and self.method.proximal != "engine":
            raise ValueError(
                "pipeline.replay: old groups need an off-policy correction; set "
                "method.importance_sampling.level or method.proximal = 'engine'"
            )
        return self

    @model_validator(mode="after")
    def selection_can_tell(self) -> Self:
        if self.pipeline.selection.by != "all" and not self.eval.reward_by_kind:
            raise ValueError(
                "pipeline.selection.by: nothing says what is correct; name it in "
                "eval.reward_by_kind"
            )
        return self

    @model_validator(mode="after")
    def gates_are_there(self) -> Self:
        """A gate must be known wherever the reward behind it is."""
        for name, one in self.mixed().items():
            if one.gate is not None:
                self._check_gate(name, one.kinds, one.gate.reward)
        return self

    def mixed(self) -> dict[str, RewardRecipe | JudgeRecipe]:
        """What has a part in the total, by the name that it has there."""
        parts: dict[str, RewardRecipe | JudgeRecipe] = {one.name: one for one in self.rewards}
        return parts if self.judge is None else parts | {JUDGE_KEY: self.judge}

    def _check_gate(self, name: str, kinds: list[str] | None, gate: str) -> None:
        others = self.mixed()
        if gate == name or gate not in others:
            valid = sorted({*others} - {name})
            raise ValueError(f"the gate of {name!r} is {gate!r}: not another reward ({valid})")
        known = others[gate].kinds
        if known is not None and (kinds is None or not {*kinds} <= {*known}):
            raise ValueError(
                f"the gate of {name!r} is {gate!r}, which scores kinds {known} only and {name!r} "
                f"{kinds or 'all'}; let {gate!r} score them, too"
            )
