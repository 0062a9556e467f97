"""Adversarial: how much an action looks like the expert's, by a classifier that learns online."""

from collections.abc import Sequence

from pydantic import Field

from plaudit.errors import PlauditError
from plaudit.reward_pools import DEFAULT_MODEL
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.models.discriminator.form import Form, reward_of
from plaudit_reward.models.discriminator.situation import situation_of
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.reward import Context, Missing, Score, Vector, reward


class DiscriminatorParams(Contract):
    model: str = DEFAULT_MODEL
    """Name of a table [reward.models.NAME] of the worker's settings, of kind discriminator."""
    form: Form = "prob"
    """prob: D, GRAIL's own; neglog1m: -log(1 - D), GAIL's; airl: log D - log(1 - D)."""
    alpha: float = Field(default=1.0, gt=0.0, le=1e6)
    """Times this."""


@reward(
    pool="model",
    source="GRAIL (liv-daliberti/grail-simulation) grail_gail.py; GAIL, arXiv 1606.03476",
    vectors=[Vector(["4", "5"], [None, None], params={"model": "not-configured"})],
)
async def discriminator(
    group: RewardGroup, params: DiscriminatorParams, context: Context
) -> Sequence[Score]:
    """alpha times D, or another form of it, where D is the probability that the action in its
    situation is the expert's: label 1 of a text classifier, kept in [1e-6, 1 - 1e-6].

    The situation is `reference.discriminator`: `state` (else the prompt), `viewer`, `options`. With
    options, the action is the one that the first `<answer>` gives by number or name, and 0 where it
    gives none of them; without, it is the whole text, and 0 where that is blank. Scoring changes
    nothing: the discriminator learns from `POST /v1/discriminator/update`. Null where there is no
    situation, the model is not configured or cannot be loaded, or the text holds a control token.
    """
    try:
        return await _scores(group, params, context.use(ModelPool))
    except PlauditError as error:
        return [Missing.of(error)] * len(group.completions)


async def _scores(
    group: RewardGroup, params: DiscriminatorParams, models: ModelPool
) -> Sequence[Score]:
    """Raises PlauditError when the model cannot be loaded."""
    model = models.discriminator(params.model)
    situation = situation_of(group)
    if isinstance(situation, Missing):
        return [situation] * len(group.completions)
    actions = [situation.action_of(one.text) for one in group.completions]
    taken = [one for one in actions if one is not None]
    texts = [situation.text(model.spec.template, one) for one in taken]
    values = iter(await model.probabilities(texts))
    return [0.0 if one is None else _reward(next(values), params) for one in actions]


def _reward(probability: float | Missing, params: DiscriminatorParams) -> Score:
    if isinstance(probability, Missing):
        return probability
    return params.alpha * reward_of(probability, params.form)
