"""A text model of this worker: tokenised in one thread, batched and computed in another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plaudit.scale import Scale
from plaudit_reward.models.conversation import Conversation
from plaudit_reward.models.engine import Engine
from plaudit_reward.models.metrics import TRUNCATED
from plaudit_reward.models.reward_model import TooLong
from plaudit_reward.reward import Missing

if TYPE_CHECKING:
    from plaudit_reward.models.local.encoder import Encoded
    from plaudit_reward.models.local.text_model import LoadedTextModel


@dataclass(frozen=True)
class LocalRewardModel:
    name: str
    engine: Engine

    async def rewards(
        self, conversations: Sequence[Conversation], too_long: TooLong
    ) -> list[float | Missing]:
        async with self.engine.using(self.name) as loaded:
            model: LoadedTextModel = loaded
            encoded = await self.engine.tokenize(model.encoder.encode_all, conversations, too_long)
            return await self._computed(model, encoded)

    async def scale(self) -> Scale | None:
        async with self.engine.using(self.name) as loaded:
            model: LoadedTextModel = loaded
            return model.scale

    async def _computed(
        self, model: "LoadedTextModel", encoded: Sequence["Encoded | Missing"]
    ) -> list[float | Missing]:
        usable = [one for one in encoded if not isinstance(one, Missing)]
        TRUNCATED.labels(self.name).inc(sum(one.truncated for one in usable))
        values = iter(await self.engine.compute(model, usable))
        return [one if isinstance(one, Missing) else next(values) for one in encoded]
