"""Recipes of offline training: on a data set, without rollouts and services."""

from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract
from plaudit.schemas.recipe.run import RunRecipe

DpoLoss = Literal[
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard",
    "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop",
]  # fmt: skip
KtoLoss = Literal["kto", "apo_zero_unpaired"]


class OfflineMethodRecipe(Contract):
    """Optimisation, the same in all offline methods."""

    name: str
    epochs: float | None = Field(default=None, gt=0.0)
    """Passes over the rows; absent: `budget.steps` decides."""
    batch_size: int = Field(default=32, ge=1)
    """Rows (pairs) of one optimizer step, over all processes."""
    backward_batch_size: int | None = Field(default=None, ge=1)
    """Rows of one backward pass and process; absent: its whole part of the batch."""
    learning_rate: float = Field(default=1e-5, gt=0.0)
    lr_scheduler: Literal["constant", "linear", "cosine"] = "linear"
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    max_skipped_steps: int = Field(default=5, ge=0)
    """Steps whose loss or gradient is no number change nothing; more in a row end the run."""


class SftMethod(OfflineMethodRecipe):
    """Cross-entropy on the assistant's tokens only."""

    name: Literal["sft"]
    packing: bool = False
    """Several conversations fill one row, and do not see each other."""


class DpoMethod(OfflineMethodRecipe):
    """Direct preference optimisation, arXiv 2305.18290."""

    name: Literal["dpo"]
    learning_rate: float = Field(default=1e-6, gt=0.0)
    beta: float = Field(default=0.1, gt=0.0)
    loss_type: DpoLoss = "sigmoid"
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=0.5)
    logp_reduce: Literal["sum", "mean"] = "sum"
    """Over the tokens of an answer; the paper sums."""

    @model_validator(mode="after")
    def exo_needs_smoothing(self) -> Self:
        if self.loss_type == "exo_pair" and self.label_smoothing == 0.0:
            raise ValueError(
                "label_smoothing = 0: loss_type 'exo_pair' needs it above 0; its paper takes 1e-3"
            )
        return self


class KtoMethod(OfflineMethodRecipe):
    """Kahneman-Tversky optimisation, arXiv 2402.01306, on answers labelled good or bad."""

    name: Literal["kto"]
    learning_rate: float = Field(default=1e-6, gt=0.0)
    beta: float = Field(default=0.1, gt=0.0)
    loss_type: KtoLoss = "kto"
    desirable_weight: float = Field(default=1.0, ge=0.0)
    undesirable_weight: float = Field(default=1.0, ge=0.0)


class RewardModelMethod(OfflineMethodRecipe):
    """A Bradley-Terry reward model: a linear head on the last token's hidden state."""

    name: Literal["rm"]
    learning_rate: float = Field(default=9e-6, gt=0.0)
    loss_type: Literal["sigmoid", "logexp"] = "sigmoid"
    use_margin: bool = False
    """Subtract each pair's `margin`."""
    value_head_prefix: str = Field(default="score", pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,79}$")


class UnitRewardModelMethod(OfflineMethodRecipe):
    """A reward model of segments, arXiv 2501.02790, with a MaxEnt regulariser on their shares."""

    name: Literal["unit_rm"]
    learning_rate: float = Field(default=9e-6, gt=0.0)
    use_margin: bool = False
    value_head_prefix: str = Field(default="score", pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,79}$")
    reference_path: str | None = None
    """The language model whose entropy ends segments; absent: `model.path` before training."""
    c_ent: float = Field(default=1.5, ge=0.0)
    """Nats. 0: every token is a segment; 1000: the whole answer."""
    entropy_weight: float = Field(default=0.0, ge=0.0)
    """Of the regulariser."""
    entropy_scale: Literal["segments", "log_segments"] = "segments"
    """What an answer's entropy over its T segments is divided by: T, as published, or ln T."""
    num_fit_samples: int = Field(default=9000, ge=2)
    """Answers to which the location-aware normalisation is fitted afterwards."""


class OfflineEvalRecipe(Contract):
    """On the held-out rows, before, during and after training."""

    every_steps: int | None = Field(default=None, ge=1)
    """Absent: before and after only."""
    max_rows: int | None = Field(default=1000, ge=1)
    batch_size: int = Field(default=32, ge=1)


class OfflineRecipe(RunRecipe):
    """The common part of offline recipes."""

    method: OfflineMethodRecipe
    eval: OfflineEvalRecipe = OfflineEvalRecipe()

    @model_validator(mode="after")
    def trains(self) -> Self:
        if self.budget.steps == 0:
            raise ValueError("budget.steps = 0: only online methods evaluate without training")
        return self


class SftRecipe(OfflineRecipe):
    method: SftMethod


class DpoRecipe(OfflineRecipe):
    method: DpoMethod


class KtoRecipe(OfflineRecipe):
    method: KtoMethod

    @model_validator(mode="after")
    def pairs_answers_up(self) -> Self:
        """The KL is estimated from answers to other prompts of the same pass."""
        per_process = self.method.batch_size // self.learner.num_processes
        if (self.method.backward_batch_size or per_process) < 2:
            raise ValueError(
                "method.backward_batch_size (or method.batch_size / learner.num_processes) is "
                "below 2: kto estimates a KL from other rows of the same pass"
            )
        return self


class RewardModelRecipe(OfflineRecipe):
    method: RewardModelMethod


class UnitRewardModelRecipe(OfflineRecipe):
    method: UnitRewardModelMethod


OFFLINE_RECIPES: dict[str, type[OfflineRecipe]] = {
    "sft": SftRecipe,
    "dpo": DpoRecipe,
    "kto": KtoRecipe,
    "rm": RewardModelRecipe,
    "unit_rm": UnitRewardModelRecipe,
}
"""By `method.name`."""
