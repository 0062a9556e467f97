"""The advantage estimators by name of method: a method is a file and a line here."""

from typing import Protocol

from plaudit.schemas.recipe import MethodRecipe, OnlineMethod
from plaudit_trainer.learner.advantage import drca, grpo, ppo, reinforce_pp, rloo, unit_ppo
from plaudit_trainer.learner.advantage.batch import Estimate, ScoredBatch


class Estimator(Protocol):
    """Called by all ranks together, with the completions of each."""

    def __call__(self, batch: ScoredBatch, method: MethodRecipe) -> Estimate: ...


ESTIMATORS: dict[OnlineMethod, Estimator] = {
    "grpo": grpo.estimate,
    "grail": grpo.estimate,
    "sr_r1": grpo.estimate,
    "rloo": rloo.estimate,
    "reinforce_pp": reinforce_pp.estimate,
    "ppo": ppo.estimate,
    "drca": drca.estimate,
    "unit_ppo": unit_ppo.estimate,
}
