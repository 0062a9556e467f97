"""A discriminator of this worker: it scores, and learns when the worker is asked to."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plaudit.schemas.discriminator import DiscriminatorUpdate, DiscriminatorUpdated
from plaudit_reward.models.conversation import Conversation
from plaudit_reward.models.discriminator.examples import examples_of
from plaudit_reward.models.discriminator.freezes import Freezes
from plaudit_reward.models.discriminator.lock import locked
from plaudit_reward.models.engine import Engine
from plaudit_reward.models.metrics import TRUNCATED
from plaudit_reward.models.spec import DiscriminatorSpec
from plaudit_reward.reward import Missing

if TYPE_CHECKING:
    from plaudit_reward.models.local.discriminator import Discriminator, Lesson
    from plaudit_reward.models.local.encoder import Encoded


@dataclass(frozen=True)
class DiscriminatorModel:
    """Every call may raise PlauditError."""

    name: str
    spec: DiscriminatorSpec
    engine: Engine

    async def probabilities(self, texts: Sequence[str]) -> list[float | Missing]:
        """By the newest version there is: that each is the expert's."""
        async with self.engine.using(self.name) as loaded:
            model: Discriminator = loaded
            await self.engine.on_device(model, model.catch_up)
            encoded = await self._encoded(model, texts)
            usable = [one for one in encoded if not isinstance(one, Missing)]
            values = iter(await self.engine.compute(model, usable))
        return [one if isinstance(one, Missing) else next(values) for one in encoded]

    async def learn(
        self, update: DiscriminatorUpdate, update_id: str, freezes: Freezes, timeout_s: float
    ) -> DiscriminatorUpdated:
        """The same `update_id` is learned once. Raises Conflict while it is frozen."""
        async with self.engine.using(self.name) as loaded:
            model: Discriminator = loaded
            lesson = await self._lesson(model, update, update_id)
            lock = await locked(self.spec.directory, timeout_s)
            try:
                at = await self.engine.on_device(model, model.catch_up)
                if known := at.answer_to(update_id):
                    lock.close()
                    return known
                await freezes.refuse_if_frozen(self.name)
            except BaseException:
                lock.close()
                raise
            # A step that has begun cannot be stopped, and keeps the lock, whoever waits for it.
            step = asyncio.ensure_future(self.engine.on_device(model, model.learn, lesson))
            step.add_done_callback(lambda _: lock.close())
            return await asyncio.shield(step)

    async def _lesson(
        self, model: "Discriminator", update: DiscriminatorUpdate, update_id: str
    ) -> "Lesson":
        from plaudit_reward.models.local.discriminator import Lesson  # torch, which is here by now

        spec = self.spec
        examples = examples_of(update, spec.template, spec.extra_negatives, update_id)
        encoded = await self._encoded(model, [one.text for one in examples.labelled])
        pairs = [
            (one, example)
            for one, example in zip(encoded, examples.labelled, strict=True)
            if not isinstance(one, Missing)
        ]
        return Lesson(
            update_id=update_id,
            batch=[one for one, _ in pairs],
            labels=[example.label for _, example in pairs],
            num_choices=[example.num_choices for _, example in pairs],
            steps=update.steps,
            num_left_out=examples.num_left_out + len(encoded) - len(pairs),
        )

    async def _encoded(
        self, model: "Discriminator", texts: Sequence[str]
    ) -> "list[Encoded | Missing]":
        conversations = [Conversation([], text) for text in texts]
        encoded = await self.engine.tokenize(model.encoder.encode_all, conversations, "truncate")
        usable = (one for one in encoded if not isinstance(one, Missing))
        TRUNCATED.labels(self.name).inc(sum(one.truncated for one in usable))
        return encoded
