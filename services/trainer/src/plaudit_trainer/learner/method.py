"""A method at work: rewards and log-probabilities of a step -> advantages, and a critic taught.

All ranks call it together. Tensor shapes: B completions of this rank, C tokens of a completion.
"""

from typing import TYPE_CHECKING, Any

import torch

from plaudit.schemas.recipe import KlRecipe, MethodRecipe
from plaudit_trainer.learner.advantage.batch import Estimate, Gather, ScoredBatch
from plaudit_trainer.learner.advantage.estimator import ESTIMATORS
from plaudit_trainer.learner.advantage.kl import KlController, k3, kl_estimates
from plaudit_trainer.learner.advantage.rewards import RunningMoments
from plaudit_trainer.learner.batch import Tensors
from plaudit_trainer.learner.critic.critic import Critic
from plaudit_trainer.learner.method_figures import figures_of_tokens, no_figures

if TYPE_CHECKING:
    from plaudit_trainer.learner.clock import StepClock


class Method:
    """`figures` are those of the last step, the same on every rank."""

    def __init__(
        self, recipe: MethodRecipe, gather: Gather, critic: Critic | None, clock: "StepClock"
    ) -> None:
        self._recipe = recipe
        self._estimate = ESTIMATORS[recipe.name]
        self._gather = gather
        self._critic = critic
        self._clock = clock
        self._kl = KlController(coefficient=recipe.kl.coefficient if recipe.kl else 0.0)
        self._moments = RunningMoments()
        self.figures = no_figures()

    def advantages(
        self,
        tensors: Tensors,
        batch: dict[str, torch.Tensor],
        policy_BC: torch.Tensor | None,
        reference_BC: torch.Tensor | None,
    ) -> torch.Tensor:
        """`policy_BC` and `reference_BC`: log-probabilities before the step, where the method has
        the KL in its reward."""
        with self._clock.measure("critic"):
            values_BC = None if self._critic is None else self._critic.values(batch)
        with self._clock.measure("credit"):
            scored = self._scored(tensors, batch, values_BC, policy_BC, reference_BC)
            estimate = self._estimate(scored, self._recipe)
            advantages_BC = self._clipped(estimate.advantages_BC)
            self._note(scored, advantages_BC, estimate, policy_BC, reference_BC)
            self._steer(scored)
        with self._clock.measure("critic"):
            self._teach(batch, scored, estimate)
        return advantages_BC.to(torch.float32)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "kl": self._kl.model_dump(),
            "moments": self._moments.model_dump(),
            "critic": None if self._critic is None else self._critic.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        self._kl = KlController.model_validate(state["kl"])
        self._moments = RunningMoments.model_validate(state["moments"])
        if self._critic is not None:
            self._critic.load(state["critic"])

    def _scored(
        self,
        tensors: Tensors,
        batch: dict[str, torch.Tensor],
        values_BC: torch.Tensor | None,
        policy_BC: torch.Tensor | None,
        reference_BC: torch.Tensor | None,
    ) -> ScoredBatch:
        device = batch["completion_mask"].device
        rewards_B, std = self._normalized(tensors.rewards_B.to(device))
        if self._recipe.reward_clip is not None:
            rewards_B = rewards_B.clamp(-self._recipe.reward_clip, self._recipe.reward_clip)
        return ScoredBatch(
            rewards_B=rewards_B,
            reward_std=std,
            token_rewards_BC=tensors.token_rewards_BC.to(device),
            group_B=tensors.group_B.to(device),
            mask_BC=batch["completion_mask"].bool(),
            gather=self._gather,
            units=tensors.units,
            kl_BC=_kl(self._recipe.kl, policy_BC, reference_BC),
            kl_coefficient=self._kl.coefficient,
            values_BC=values_BC,
        )

    def _normalized(self, rewards_B: torch.Tensor) -> tuple[torch.Tensor, float]:
        if self._recipe.critic is None or not self._recipe.critic.normalize_rewards:
            return rewards_B, 1.0
        self._moments = self._moments.with_values(self._gather(rewards_B))
        return (rewards_B - self._moments.mean) / self._moments.std, self._moments.std

    def _clipped(self, advantages_BC: torch.Tensor) -> torch.Tensor:
        clip = self._recipe.advantage_clip
        return advantages_BC if clip is None else advantages_BC.clamp(-clip, clip)

    def _steer(self, scored: ScoredBatch) -> None:
        if self._recipe.kl is None or scored.kl_BC is None:
            return
        kl_B = self._gather((scored.kl_BC * scored.mask_BC).sum(dim=1))
        self._kl = self._kl.after(self._recipe.kl, float(kl_B.mean()), len(kl_B))

    def _note(
        self,
        scored: ScoredBatch,
        advantages_BC: torch.Tensor,
        estimate: Estimate,
        policy_BC: torch.Tensor | None,
        reference_BC: torch.Tensor | None,
    ) -> None:
        kl_BC = None
        if policy_BC is not None and reference_BC is not None:
            kl_BC = k3(policy_BC.double() - reference_BC.double())
        has_kl = scored.kl_BC is not None
        self.figures = {
            **no_figures(),
            **figures_of_tokens(scored, advantages_BC, estimate.returns_BC, kl_BC),
            "kl_coefficient": self._kl.coefficient if has_kl else None,
        }

    def _teach(
        self, batch: dict[str, torch.Tensor], scored: ScoredBatch, estimate: Estimate
    ) -> None:
        if self._critic is None or scored.values_BC is None or estimate.returns_BC is None:
            return
        self.figures |= self._critic.learn(batch, scored.values_BC, estimate.returns_BC)


def _kl(
    recipe: KlRecipe | None, policy_BC: torch.Tensor | None, reference_BC: torch.Tensor | None
) -> torch.Tensor | None:
    if recipe is None or policy_BC is None or reference_BC is None:
        return None
    return kl_estimates(policy_BC.double(), reference_BC.double(), recipe)
