"""What the conductor's loops share."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from plaudit.client import RolloutClient
from plaudit.schemas.recipe import Recipe
from plaudit.schemas.rollout import RolloutPrompt, Sampling
from plaudit.schemas.run import Waiting
from plaudit_trainer.conductor.selection import Selection
from plaudit_trainer.data import Row, visit_order
from plaudit_trainer.ledger import ConductorLedger, GroupId
from plaudit_trainer.run_dir import RunDir


class WaitingList:
    """What the conductor's loops wait for right now; shown by the status page."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[str, float]] = {}

    def note(self, who: str, what: str) -> None:
        """The clock starts when `who` begins to wait, whatever the reason then becomes."""
        since_s = self._since[who][1] if who in self._since else time.monotonic()
        self._since[who] = (what, since_s)

    def clear(self, who: str) -> None:
        self._since.pop(who, None)

    def entries(self) -> list[Waiting]:
        now_s = time.monotonic()
        return [
            Waiting(who=who, what=what, since_s=now_s - since_s)
            for who, (what, since_s) in sorted(self._since.items())
        ]


@dataclass
class Context:
    """One run as the conductor sees it. `served_step` is the oldest step any engine serves."""

    run_id: str
    run_dir: RunDir
    recipe: Recipe
    rows: list[Row]
    ledger: ConductorLedger
    rollout: RolloutClient
    waiting: WaitingList = field(default_factory=WaitingList)
    scoring: set[str] = field(default_factory=set)
    served_step: int | None = None
    progressed_at: float | None = None
    """When the ledger last moved, by `clock`."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Callable[[], float] = time.time
    consumer: str = field(default_factory=lambda: uuid.uuid4().hex)
    """A restarted conductor is a new consumer, which takes over the leases of the old one."""

    def __post_init__(self) -> None:
        self.order = visit_order(self.recipe, len(self.rows))
        self.selection = Selection(self.recipe)

    def row(self, group_id: str) -> Row:
        parsed = GroupId.parse(group_id)
        return self.rows[self.order.row_index(parsed.epoch, parsed.position)]

    def rollout_prompt(self, group_id: str) -> RolloutPrompt:
        row = self.row(group_id)
        method = self.recipe.method
        return RolloutPrompt(
            group_id=group_id,
            prompt=row.prompt,
            n=method.num_generations,
            sampling=Sampling(
                temperature=method.temperature,
                max_tokens=method.max_completion_tokens,
                entropies=method.drca is not None and method.drca.units == "entropy",
            ),
            reference=row.reference,
        )

    async def pause(self, seconds: float) -> None:
        """Sleep, but not longer than until the conductor stops."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return
