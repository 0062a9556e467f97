"""A learned reward of the whole text."""

from collections.abc import Sequence
from typing import Literal

from plaudit.errors import ConfigError, PlauditError
from plaudit.reward_pools import DEFAULT_MODEL
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.models.conversation import Conversation
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.reward import Context, Missing, Score, Vector, reward


class RewardModelParams(Contract):
    model: str = DEFAULT_MODEL
    """Name of a table [reward.models.NAME] of the worker's settings."""
    normalize: bool = False
    """(r - mean) / std, of the settings or the model's config.json; std at least 1e-8."""
    too_long: Literal["null", "truncate"] = "null"
    """Of a text over the model's max_length_tokens; truncate keeps its end."""


@reward(
    pool="model",
    source="Bradley-Terry reward models: OpenRLHF; Hugging Face classifiers",
    vectors=[Vector(["4", "5"], [None, None], params={"model": "not-configured"})],
)
async def reward_model(
    group: RewardGroup, params: RewardModelParams, context: Context
) -> Sequence[Score]:
    """The logit that a model gives to prompt and completion, higher being better.

    A Hugging Face classifier, a causal LM with a value head, or a classifier behind vLLM. The text
    is the model's chat template over prompt and completion; without one, all contents with an
    empty line between. Null where the model is not configured or cannot be loaded, where the text
    is too long or holds a control token of the model.
    """
    try:
        return await _scores(group, params, context.use(ModelPool))
    except PlauditError as error:
        return [Missing.of(error)] * len(group.completions)


async def _scores(
    group: RewardGroup, params: RewardModelParams, models: ModelPool
) -> Sequence[Score]:
    """Raises PlauditError when the model cannot be loaded or reached."""
    model = models.reward_model(params.model)
    scale = await model.scale() if params.normalize else None
    if params.normalize and scale is None:
        raise ConfigError(
            f"normalize: model {params.model!r} has no mean and std.",
            fix="give them in its table [reward.models.NAME]",
        )
    conversations = [Conversation(group.prompt, one.text) for one in group.completions]
    values = await model.rewards(conversations, params.too_long)
    return [
        value if scale is None or isinstance(value, Missing) else scale(value) for value in values
    ]
