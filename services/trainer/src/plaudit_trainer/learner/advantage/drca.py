"""DRCA: each unit of a completion gets what the reward would lose without it.

Source: the OpenRLHF fork npnike10/LearningSegmentRewards (`experience_maker_drca.py`), with these
defects mended: a completion without units keeps its whole reward, at its end, also beside others
that have units; units end within the completion.
"""

from collections.abc import Sequence

import torch

from plaudit.schemas.recipe import DrcaRecipe, MethodRecipe
from plaudit.schemas.run import Unit
from plaudit_trainer.learner.advantage.batch import Estimate, ScoredBatch
from plaudit_trainer.learner.advantage.ppo import with_critic


def estimate(batch: ScoredBatch, method: MethodRecipe) -> Estimate:
    beta = (method.drca or DrcaRecipe()).beta
    return with_critic(batch, batch.token_rewards_BC + divided(batch, beta), method)


def divided(batch: ScoredBatch, beta: float) -> torch.Tensor:
    """beta * difference evenly over a unit's tokens; (1 - beta) R in place of what the last token
    would have had; all of R there where no unit has a known difference."""
    shares_BC = torch.zeros_like(batch.token_rewards_BC)
    outcome_B = batch.rewards_B.nan_to_num(nan=0.0).clone()
    for row, units in enumerate(batch.units):
        known = _known(units, int(batch.mask_BC[row].sum()))
        for start, end, difference in known:
            shares_BC[row, start:end] += beta * difference / batch.reward_std / (end - start)
        if known:
            outcome_B[row] *= 1.0 - beta
    return shares_BC.where(~batch.is_last_BC(), outcome_B.unsqueeze(1))


def _known(units: Sequence[Unit], num_tokens: int) -> list[tuple[int, int, float]]:
    """Start, end (exclusive) and difference."""
    within = [(unit.start, min(unit.end, num_tokens), unit.difference) for unit in units]
    return [(a, b, difference) for a, b, difference in within if a < b and difference is not None]
