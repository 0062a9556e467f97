"""What the reward `reward_model` asks: any model that reads a text and gives one number."""

from collections.abc import Sequence
from typing import Literal, Protocol

from plaudit.scale import Scale
from plaudit_reward.models.conversation import Conversation
from plaudit_reward.reward import Missing

TooLong = Literal["null", "truncate"]


class RewardModel(Protocol):
    """Local or remote. Both calls may raise PlauditError."""

    async def rewards(
        self, conversations: Sequence[Conversation], too_long: TooLong
    ) -> list[float | Missing]: ...

    async def scale(self) -> Scale | None:
        """For `normalize`; None where neither settings nor the model have one."""
        ...
