"""Teaches the discriminator of the reward service from groups after they were scored."""

import asyncio
from hashlib import blake2b

from plaudit.client import RewardClient
from plaudit.errors import ConfigError, Conflict, NotFound, PlauditError, Stalled
from plaudit.schemas.discriminator import DiscriminatorUpdate, DiscriminatorUpdated
from plaudit.schemas.recipe import DiscriminatorRecipe
from plaudit.schemas.rollout import RolloutGroup
from plaudit.telemetry import get_logger
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.metrics import DISCRIMINATOR, DISCRIMINATOR_UPDATES
from plaudit_trainer.conductor.scoring import reward_group
from plaudit_trainer.run_dir import RunDir

MAX_WAITING = 256
"""Groups that wait for their turn; of more the oldest teach nothing, and are counted as skipped."""
MAX_GROUPS = 32
"""Of one lesson: what waits is learned together, so that a slow service keeps up."""
MAX_KNOWN = 4096
"""Groups that are known to be learned, in case they are delivered again."""
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
        self._waiting: asyncio.Queue[RolloutGroup] = asyncio.Queue(MAX_WAITING)
        self._known = _learned_before(context.run_dir)
        self._failing_since: float | None = None

    def teach(self, group: RolloutGroup, kind: str) -> None:
        """Puts the group in line."""
        if self._kinds is not None and kind not in self._kinds:
            return
        if self._waiting.full():
            self._waiting.get_nowait()
            DISCRIMINATOR_UPDATES.labels("skipped").inc()
        self._waiting.put_nowait(group)

    async def run(self) -> None:
        """Raises Stalled when no update has succeeded for `pipeline.stall_timeout_s`, ConfigError
        when there is no such discriminator."""
        while not self._context.stopping.is_set():
            groups = await self._next_groups()
            try:
                updated = await self._update(groups)
            except Conflict as error:
                self._context.waiting.note(_WHO, str(error))
                DISCRIMINATOR_UPDATES.labels("frozen").inc(len(groups))
            except NotFound as error:
                raise ConfigError(error.message, fix=error.fix) from error
            except PlauditError as error:
                self._failed(groups, error)
            else:
                self._learned(groups, updated)

    async def _next_groups(self) -> list[RolloutGroup]:
        """All that wait, up to a bound, and each once; waits for one."""
        groups: dict[str, RolloutGroup] = {}
        while len(groups) < MAX_GROUPS and not (groups and self._waiting.empty()):
            group = await self._waiting.get()
            if group.group_id not in self._known:
                groups[group.group_id] = group
        return list(groups.values())

    async def _update(self, groups: list[RolloutGroup]) -> DiscriminatorUpdated:
        """The same groups have the same key, and are learned once."""
        update = DiscriminatorUpdate(
            discriminator=self._recipe.model,
            groups=[reward_group(group, set()) for group in groups],
            steps=self._recipe.steps,
        )
        ids = "/".join(group.group_id for group in groups)
        digest = blake2b(ids.encode(), digest_size=8).hexdigest()
        return await self._client.update_discriminator(
            update,
            idempotency_key=f"{self._context.run_id}/{digest}/discriminator",
            timeout_s=self._context.recipe.pipeline.reward_timeout_s,
        )

    def _failed(self, groups: list[RolloutGroup], error: PlauditError) -> None:
        context = self._context
        DISCRIMINATOR_UPDATES.labels("failed").inc(len(groups))
        log.warning("discriminator_update_failed", num_groups=len(groups), reason=str(error))
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

    def _learned(self, groups: list[RolloutGroup], updated: DiscriminatorUpdated) -> None:
        self._failing_since = None
        self._context.waiting.clear(_WHO)
        outcome = "empty" if updated.loss is None else "learned"
        DISCRIMINATOR_UPDATES.labels(outcome).inc(len(groups))
        self._known = _newest(self._known | dict.fromkeys(group.group_id for group in groups))
        figures = updated.model_dump(include={*DISCRIMINATOR})
        for name, value in figures.items():
            if value is not None:
                DISCRIMINATOR[name].set(value)
        record = {
            "time": self._context.clock(),
            "step": self._context.served_step,
            "group_ids": [group.group_id for group in groups],
            **updated.model_dump(exclude={"discriminator"}),
        }
        self._context.run_dir.append_jsonl(FILE, [record])


def _learned_before(run_dir: RunDir) -> dict[str, None]:
    """By a conductor that died, from its record."""
    records = run_dir.read_jsonl(FILE)
    return _newest(dict.fromkeys(name for record in records for name in record["group_ids"]))


def _newest(group_ids: dict[str, None]) -> dict[str, None]:
    return dict.fromkeys(list(group_ids)[-MAX_KNOWN:])
