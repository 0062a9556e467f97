"""Remote reward: a number that somebody else's reward server gives."""

from typing import Literal

from pydantic import Field

from plaudit.errors import ConfigError
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.openrlhf.remotes import Remotes
from plaudit_reward.openrlhf.texts import query_of
from plaudit_reward.openrlhf.wire import GetReward
from plaudit_reward.reward import Context, Missing, Score, Vector, reward


class RemoteRewardParams(Contract):
    remote: str = "default"
    """Which table [reward.remotes.NAME] of the settings."""
    value: Literal["rewards", "scores"] = "rewards"
    """Which of the two lists of the answer."""
    label: str = Field(default="answer", max_length=256)
    """The key of the reference that is sent as the label; an empty text where it is missing."""


@reward(
    source="OpenRLHF openrlhf/cli/serve_rm.py, `POST /get_reward`",
    vectors=[Vector(["4"], [None])],
)
async def remote_reward(
    group: RewardGroup, params: RemoteRewardParams, context: Context
) -> list[Score]:
    """What a server with OpenRLHF's wire gives for prompt + completion, unchanged.

    Sent are `query` (both as one text, by the table's formats), `prompts` and `labels`. Null: the
    table is not there, no server of it answers in time, or one gives no finite number per query.
    """
    try:
        remote = context.use(Remotes).get(params.remote)
    except ConfigError as error:
        return [Missing(str(error))] * len(group.completions)
    pairs = [query_of(remote.spec, group.prompt, one.text) for one in group.completions]
    asked = GetReward(
        query=[query for _, query in pairs],
        prompts=[prompt for prompt, _ in pairs],
        labels=[group.reference.get(params.label, "")] * len(pairs),
    )
    return await remote.rewards(asked, params.value)
