"""Remote reward: a number that somebody else's reward server gives."""

from typing import Literal

from pydantic import Field

from plaudit.errors import ConfigError
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.openrlhf.remotes import Remotes
from plaudit_reward.openrlhf.texts import query_of, written_mark
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
    table is not there, no server of it answers in time, or one gives no finite number per query;
    and a completion that writes one of the special tokens of the formats.
    """
    try:
        remote = context.use(Remotes).get(params.remote)
    except ConfigError as error:
        return [Missing(str(error))] * len(group.completions)
    marked = [written_mark(remote.spec, one.text) for one in group.completions]
    texts = [one.text for one, mark in zip(group.completions, marked, strict=True) if mark is None]
    pairs = [query_of(remote.spec, group.prompt, text) for text in texts]
    asked = GetReward(
        query=[query for _, query in pairs],
        prompts=[prompt for prompt, _ in pairs],
        labels=[group.reference.get(params.label, "")] * len(pairs),
    )
    scores = iter(await remote.rewards(asked, params.value))
    return [next(scores) if mark is None else _refusal(mark) for mark in marked]


def _refusal(mark: str) -> Missing:
    return Missing(f"the completion writes {mark!r}, which would end its turn")
