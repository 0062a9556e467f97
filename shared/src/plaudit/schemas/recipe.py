"""The recipe: one TOML file that says what to train, on what, by which rewards."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from plaudit.length_budget import BudgetForm, BudgetStyle
from plaudit.schemas.common import MAX_TEMPERATURE, Contract
from plaudit.schemas.judge import TournamentRules
from plaudit.schemas.mixing import Mixed, RecipeMixing

LossType = Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo"]
JUDGE_KEY = "judge"
"""The judge's reward stands under this name beside the others."""
OnMissing = Literal["mask", "wait", "drop"]


class ModelRecipe(Contract):
    path: str = "seed"
    """A directory, a hub id, or `seed`: the tiny model that Plaudit builds itself."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_model_tokens: int = Field(default=1024, ge=16)
    """Prompt and completion together; a longer prompt is refused before the run starts."""


class LengthBudgetRecipe(Contract):
    """Each prompt also asks for a number of tokens, for `lcpo_exact` and `lcpo_max`."""

    form: BudgetForm = "exact"
    style: BudgetStyle = "l1"
    min_tokens: int = Field(default=100, ge=1)
    max_tokens: int = Field(default=4000, ge=1)
    """Drawn evenly from both and what is between, the same for the same row and `seed`."""
    seed: int = 0

    @model_validator(mode="after")
    def is_a_range(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens = {self.min_tokens} is over max_tokens")
        return self


class DataRecipe(Contract):
    train: str = "seed"
    """A JSONL file, or `seed`: the task that comes with the seed model."""
    eval: str | None = "seed"
    format: Literal["plaudit", "gsm8k"] = "plaudit"
    """plaudit: columns id, kind, prompt, reference. gsm8k: question, answer (gold after ####)."""
    system_prompt: str | None = None
    max_rows: int | None = Field(default=None, ge=1)
    length_budget: LengthBudgetRecipe | None = None
    """Put into the prompt and into `reference.num_tokens`; rows that have one there keep it."""


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


class ImportanceSampling(Contract):
    """Off-policy correction exp(logp_learner - logp_engine), bounded by `cap`."""

    level: Literal["token", "sequence", "none"] = "token"
    mode: Literal["truncate", "mask"] = "truncate"
    cap: float = Field(default=2.0, gt=0.0)


class MethodRecipe(Contract):
    loss_type: LossType = "dapo"
    num_generations: int = Field(default=8, ge=2, le=256)
    learning_rate: float = Field(default=1e-6, gt=0.0)
    lr_scheduler: Literal["constant", "linear", "cosine"] = "constant"
    warmup_steps: int = Field(default=0, ge=0)
    beta: float = Field(default=0.0, ge=0.0)
    epsilon: float = Field(default=0.2, gt=0.0)
    epsilon_high: float | None = Field(default=None, gt=0.0)
    scale_rewards: Literal["group", "none"] = "group"
    num_iterations: int = Field(default=1, ge=1)
    importance_sampling_level: Literal["token", "sequence"] = "token"
    """Level of the clipped ratio: sequence is GSPO."""
    importance_sampling: ImportanceSampling = ImportanceSampling()
    zero_variance: Literal["keep", "replace"] = "keep"
    """replace: a group whose rewards are all equal is dropped (counted) and another one trained."""
    mask_truncated: bool = False
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    temperature: float = Field(default=1.0, gt=0.0, le=MAX_TEMPERATURE)
    max_completion_tokens: int = Field(default=256, ge=1)


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


class BudgetRecipe(Contract):
    steps: int = Field(default=100, ge=1)
    checkpoint_every_steps: int = Field(default=10, ge=1)
    keep_checkpoints: int = Field(default=2, ge=1)
    keep_policies: int = Field(default=4, ge=2)


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


class LearnerRecipe(Contract):
    num_processes: int = Field(default=1, ge=1)
    backward_batch_size: int | None = Field(default=None, ge=1)
    """Completions per backward pass and process; all at once when absent."""
    deepspeed: str | None = None
    """A DeepSpeed JSON configuration, e.g. for ZeRO-2."""
    num_threads: int | None = Field(default=None, ge=1)
    probe_tolerance: float | None = Field(default=None, gt=0.0)
    """How far an engine's log-probabilities may be off; absent: 1e-4, in bfloat16 0.5."""


class Recipe(Contract):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    seed: int = 0
    model: ModelRecipe = ModelRecipe()
    data: DataRecipe = DataRecipe()
    rewards: list[RewardRecipe] = []
    judge: JudgeRecipe | None = None
    mixing: RecipeMixing = RecipeMixing()
    method: MethodRecipe = MethodRecipe()
    pipeline: PipelineRecipe = PipelineRecipe()
    budget: BudgetRecipe = BudgetRecipe()
    eval: EvalRecipe = EvalRecipe()
    learner: LearnerRecipe = LearnerRecipe()

    @model_validator(mode="after")
    def has_a_reward(self) -> Self:
        if not self.rewards and self.judge is None:
            raise ValueError("rewards: empty, and there is no [judge]; name at least one reward")
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
