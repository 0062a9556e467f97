"""The online methods and what each can be told."""

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from plaudit.reward_pools import DEFAULT_MODEL
from plaudit.schemas.common import MAX_TEMPERATURE, Contract
from plaudit.schemas.discriminator import MAX_STEPS, DiscriminatorName

OnlineMethod = Literal["grpo", "rloo", "reinforce_pp", "ppo", "drca", "unit_ppo", "grail", "sr_r1"]
LossType = Literal[
    "grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo", "sequence"
]  # fmt: skip
"""Those of TRL, and `sequence`: a completion is one action (RLOO, arXiv 2402.14740)."""
GROUP_RELATIVE = frozenset({"grpo", "rloo", "grail", "sr_r1"})
"""They compare the completions of one prompt."""
WITH_CRITIC = frozenset({"ppo", "drca", "unit_ppo"})
TABLES = {
    "kl": WITH_CRITIC | {"rloo", "reinforce_pp"},
    "critic": WITH_CRITIC,
    "drca": frozenset({"drca"}),
    "discriminator": frozenset({"grail"}),
}
"""Which methods may have which table."""


class ImportanceSampling(Contract):
    """Off-policy correction exp(logp_learner - logp_engine), bounded by `cap`."""

    level: Literal["token", "sequence", "none"] = "token"
    mode: Literal["truncate", "mask"] = "truncate"
    cap: float = Field(default=2.0, gt=0.0)


class KlRecipe(Contract):
    """The distance to the reference model as a part of each token's reward."""

    coefficient: float = Field(default=0.01, ge=0.0)
    estimator: Literal["k1", "k2", "k3"] = "k1"
    clip: float = Field(default=10.0, gt=0.0)
    """Each token's estimate is kept within this of 0."""
    target: float | None = Field(default=None, gt=0.0)
    """Mean KL of a completion that the coefficient is steered to; absent: it is fixed."""
    horizon: int = Field(default=10_000, ge=1)
    """Completions over which it is steered (arXiv 1909.08593)."""


class CriticRecipe(Contract):
    """The value model of actor-critic methods, and what is computed with its values."""

    path: str | None = None
    """A model to start from, with its value head where it has one; absent: the policy's."""
    learning_rate: float = Field(default=9e-6, gt=0.0)
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    warmup_steps: int = Field(default=0, ge=0)
    """First steps in which the critic learns and the policy does not."""
    gamma: float = Field(default=1.0, gt=0.0, le=1.0)
    gae_lambda: float = Field(default=0.95, ge=0.0, le=1.0)
    value_clip: float | None = Field(default=0.2, gt=0.0)
    whiten_advantages: bool = True
    """Over all tokens of a step."""
    normalize_rewards: bool = False
    """Totals in standard deviations from their running mean."""


class DrcaRecipe(Contract):
    """Difference rewards of units: a reward less the reward with that unit blanked."""

    beta: float = Field(default=0.8, gt=0.0, le=1.0)
    """Part of the difference rewards; the rest is the outcome's, at the end."""
    units: Literal["regex", "entropy"] = "regex"
    pattern: str = Field(default=r"^(\*?[A-Z]{1,2}\.)\s+", min_length=1, max_length=1024)
    """A line that matches starts a unit."""
    entropy_cutoff: float = Field(default=1.5, gt=0.0)
    """Nats. A token after which the policy's entropy is higher ends a unit."""
    max_units: int = Field(default=10, ge=1, le=64)
    """Of a completion; the last one extends to its end."""

    @field_validator("pattern")
    @classmethod
    def is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from None
        return value


class DiscriminatorRecipe(Contract):
    """The discriminator of the reward service learns from each group after it was scored."""

    model: DiscriminatorName = DEFAULT_MODEL
    steps: int = Field(default=1, ge=1, le=MAX_STEPS)
    """Of its optimizer, for each group."""
    train: bool = True
    """False: it scores and does not learn."""


class MethodRecipe(Contract):
    """An online method. Tables of another method's are refused.

    `loss_type` is "sequence" for RLOO unless said otherwise, and so is then the level of
    `importance_sampling`.
    """

    name: OnlineMethod = "grpo"
    loss_type: LossType = "dapo"
    num_generations: int = Field(default=8, ge=1, le=256)
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
    proximal: Literal["learner", "engine"] = "learner"
    """Whose log-probabilities the clipped ratio starts from: the learner's before the step
    (decoupled PPO, arXiv 2505.24298), or the engine's that generated (plain PPO)."""
    off_policy_mask_threshold: float | None = Field(default=None, gt=0.0)
    """Sequences of negative advantage that drifted further than this give no gradient
    (DeepSeek-V3.2)."""
    advantage_clip: float | None = Field(default=None, gt=0.0)
    reward_clip: float | None = Field(default=None, gt=0.0)
    """Of a completion's total."""
    kl: KlRecipe | None = None
    critic: CriticRecipe | None = None
    drca: DrcaRecipe | None = None
    discriminator: DiscriminatorRecipe | None = None
    max_kl: float = Field(default=10.0, gt=0.0)
    """Nats per token (k3) from the reference model, where there is one; three steps over it in a
    row end the run."""
    max_skipped_steps: int = Field(default=5, ge=0)
    """Steps whose loss or gradient is no number change nothing; more in a row end the run."""
    zero_variance: Literal["keep", "replace"] = "keep"
    """replace: a group whose rewards are all equal is dropped (counted) and another one trained."""
    mask_truncated: bool = False
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    temperature: float = Field(default=1.0, gt=0.0, le=MAX_TEMPERATURE)
    max_completion_tokens: int = Field(default=256, ge=1)

    @model_validator(mode="before")
    @classmethod
    def default_loss(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        loss = values.get("loss_type", "sequence" if values.get("name") == "rloo" else None)
        if loss != "sequence":
            return values
        return {"importance_sampling": {"level": "sequence"}, **values, "loss_type": loss}

    @model_validator(mode="after")
    def has_its_tables_only(self) -> Self:
        for table, methods in TABLES.items():
            if getattr(self, table) is not None and self.name not in methods:
                raise ValueError(
                    f"{table}: the method {self.name!r} has no such table; {sorted(methods)} have"
                )
        if self.name in GROUP_RELATIVE and self.num_generations < 2:
            raise ValueError(
                f"num_generations = {self.num_generations}: {self.name!r} compares the completions "
                "of a prompt and needs 2 or more"
            )
        return self
