"""A learned reward of every segment of the text."""

from plaudit.errors import PlauditError
from plaudit.reward_pools import DEFAULT_MODEL
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit.segments import Spread
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.reward import Context, Missing, Score, Vector, reward


class UnitRewardModelParams(Contract):
    model: str = DEFAULT_MODEL
    """Name of a table [reward.models.NAME] of kind `unit` of the worker's settings."""
    spread: Spread = "segment_normalization"
    """How a segment's reward r is spread: segment_normalization gives each token r / length,
    same_segment_last r, every_segment_last only the last one r; segment_last_avg and
    segment_last_logsumexp give the last token of the text one value for all segments."""
    normalize: bool = True
    """By the share of the text (`normalization` in the settings); the forms of the whole text by
    the reward model's mean and std."""


@reward(
    pool="model",
    source="arXiv 2501.02790 (DenseReward)",
    vectors=[Vector(["4"], [None], params={"model": "not-configured"}, token_ids=[[1]])],
)
async def unit_reward_model(
    group: RewardGroup, params: UnitRewardModelParams, context: Context
) -> list[Score]:
    """Rewards per token: a value head read at the end of every segment of the completion.

    A segment ends after a token where the next token's entropy under a reference model is over
    `c_ent` nats, the last one before EOS. The completion as a whole gets the mean of its segments'
    rewards. Null without `token_ids`, and where these do not decode to the text with the model's
    tokenizer: the policy and the reward model must share theirs.
    """
    try:
        model = context.use(ModelPool).unit_reward_model(params.model)
        return await model.scores(group, params.spread, normalize=params.normalize)
    except PlauditError as error:
        return [Missing.of(error)] * len(group.completions)
