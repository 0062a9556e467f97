"""Teaches the discriminator of the reward service from each group after it was scored."""

import asyncio

from plaudit.client import RewardClient
from plaudit.errors import ConfigError, Conflict, NotFound, PlauditError, Stalled
from plaudit.schemas.discriminator import DiscriminatorUpdate, DiscriminatorUpdated
from plaudit.schemas.recipe import DiscriminatorRecipe
from plaudit.schemas.rollout import RolloutGroup
from plaudit.telemetry import get_logger
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.metrics import DISCRIMINATOR, DISCRIMINATOR_UPDATES
from plaudit_trainer.conductor.scoring import reward_group

MAX_LESSONS = 64
"""Groups that wait for their turn; of more the oldest teach nothing, and are counted as skipped."""
FILE = "discriminator.jsonl"
_WHO = "discriminator"

log = get_logger(__name__)


class Teacher:
    """Nobody waits for it. What it has not come to when the conductor dies is not made up for."""

    def __init__(
        self, context: Context, recipe: DiscriminatorRecipe, kinds: list[str] | None,
        client: RewardClient,
    ) -> None:  # fmt: skip
        """`kinds`: of the rows that the discriminator scores; None: of all."""
        self._context = context
        self._recipe = recipe
        self._kinds = kinds
        self._client = client
        self._lessons: asyncio.Queue[RolloutGroup] = asyncio.Queue(MAX_LESSONS)
        self._failing_since: float | None = None

    def teach(self, group: RolloutGroup, kind: str) -> None:
        """Puts the group in line."""
        if self._kinds is not None and kind not in self._kinds:
            return
        if self._lessons.full():
            self._lessons.get_nowait()
            DISCRIMINATOR_UPDATES.labels("skipped").inc()
        self._lessons.put_nowait(group)

    async def run(self) -> None:
        """Raises Stalled when no update has succeeded for `pipeline.stall_timeout_s`, ConfigError
        when there is no such discriminator."""
        while not self._context.stopping.is_set():
            group = await self._lessons.get()
            try:
                updated = await self._update(group)
            except Conflict as error:
                self._context.waiting.note(_WHO, str(error))
                DISCRIMINATOR_UPDATES.labels("frozen").inc()
            except NotFound as error:
                raise ConfigError(error.message, fix=error.fix) from error
            except PlauditError as error:
                self._failed(group, error)
            else:
                self._learned(group, updated)

    async def _update(self, group: RolloutGroup) -> DiscriminatorUpdated:
        """A group that is delivered again has the same key, and is learned once."""
        update = DiscriminatorUpdate(
            discriminator=self._recipe.model,
            groups=[reward_group(group, set())],
            steps=self._recipe.steps,
        )
        return await self._client.update_discriminator(
            update,
            idempotency_key=f"{self._context.run_id}/{group.group_id}/discriminator",
            timeout_s=self._context.recipe.pipeline.reward_timeout_s,
        )

    def _failed(self, group: RolloutGroup, error: PlauditError) -> None:
        context = self._context
        DISCRIMINATOR_UPDATES.labels("failed").inc()
        log.warning("discriminator_update_failed", group=group.group_id, reason=str(error))
        context.waiting.note(_WHO, str(error))
        if self._failing_since is None:
            self._failing_since = context.clock()
        limit_s = context.recipe.pipeline.stall_timeout_s
        if context.clock() - self._failing_since > limit_s:
            raise Stalled(
                f"discriminator {self._recipe.model!r} has learned nothing for "
                f"pipeline.stall_timeout_s = {limit_s:g}: {error}",
                fix="mend the reward service's pool `model`, or set "
                "method.discriminator.train = false",
            )

    def _learned(self, group: RolloutGroup, updated: DiscriminatorUpdated) -> None:
        self._failing_since = None
        self._context.waiting.clear(_WHO)
        DISCRIMINATOR_UPDATES.labels("empty" if updated.loss is None else "learned").inc()
        figures = updated.model_dump(include={*DISCRIMINATOR})
        for name, value in figures.items():
            if value is not None:
                DISCRIMINATOR[name].set(value)
        record = {
            "time": self._context.clock(),
            "step": self._context.served_step,
            "group_id": group.group_id,
            **updated.model_dump(exclude={"discriminator"}),
        }
        self._context.run_dir.append_jsonl(FILE, [record])
