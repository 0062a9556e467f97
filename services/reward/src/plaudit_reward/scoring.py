"""What a worker does with a request: the rewards of its own pool, group by group."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from plaudit.client import SandboxClient
from plaudit.errors import Unavailable
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import Answer, RewardGroup, ScoreRequest
from plaudit.schemas.sandbox import RunRequest, RunResult
from plaudit.telemetry import get_logger, span
from plaudit_reward.metrics import meters_of
from plaudit_reward.registry import Chosen, Registry
from plaudit_reward.reward import Missing, PerToken, Pool, Reward, Score
from plaudit_reward.verifier.verifier import Verifier
from plaudit_reward.wire import Found, PoolScores

T = TypeVar("T")
Compute = Callable[[Reward, Contract], Awaitable[list[Score]]]

log = get_logger(__name__)


@dataclass(frozen=True)
class Resources:
    """What the rewards of a pool work with; None where the pool has no use for it."""

    verifier: Verifier | None = None
    sandbox: SandboxClient | None = None
    sandbox_places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    others: Mapping[type, object] = field(default_factory=dict)
    """What `Context.use` hands out, by type."""


@dataclass(frozen=True)
class GroupContext:
    """The `Context` of one group."""

    group: RewardGroup
    resources: Resources
    computed: dict[tuple[str, str], asyncio.Task[list[Score]]] = field(default_factory=dict)

    async def score(self, reward: Reward, params: Contract | None = None) -> list[Score]:
        params = params or reward.params()
        key = reward.name, params.model_dump_json()
        if key not in self.computed:
            self.computed[key] = asyncio.create_task(self.compute(reward, params))
        return await self.computed[key]

    async def compute(self, reward: Reward, params: Contract) -> list[Score]:
        return await reward(self.group, params, self)

    async def verify(self, gold: str, answers: Sequence[str], extract: str) -> list[Score]:
        if self.resources.verifier is None:
            raise Unavailable("This pool has no verifier; put the reward into the pool `rules`.")
        return await self.resources.verifier.verify(gold, answers, extract)

    async def run(self, request: RunRequest) -> RunResult:
        if self.resources.sandbox is None:
            raise Unavailable("This pool has no sandbox; put the reward into the pool `code`.")
        async with self.resources.sandbox_places:
            return await self.resources.sandbox.run(request)

    def use(self, kind: type[T]) -> T:
        found = self.resources.others.get(kind)
        if not isinstance(found, kind):
            raise Unavailable(f"This pool has no {kind.__name__}; put the reward into another.")
        return found


@dataclass(frozen=True)
class Scorer:
    """Scores requests with the rewards of one pool."""

    registry: Registry
    pool: Pool
    resources: Resources
    max_text_chars: int

    async def score(self, request: ScoreRequest, found: Found | None = None) -> PoolScores:
        """Fills `found`, one table for each group, as rewards are computed; a slow one delays none.

        Raises Rejected when this worker does not know a reward that the API knew.
        """
        chosen = [
            one for one in self.registry.choose(request.rewards) if one.reward.pool == self.pool
        ]
        found = [{} for _ in request.groups] if found is None else found
        pairs = zip(request.groups, found, strict=True)
        await asyncio.gather(*(self._score_group(*pair, chosen) for pair in pairs))
        return PoolScores.of(found)

    async def _score_group(
        self, group: RewardGroup, columns: dict[str, list[Score]], chosen: Sequence[Chosen]
    ) -> None:
        longest = max(len(completion.text) for completion in group.completions)
        if longest > self.max_text_chars:
            missing = Missing(f"a text of the group has {longest} characters, over max_text_chars")
            columns |= {one.reward.name: [missing] * len(group.completions) for one in chosen}
            return
        context = GroupContext(group, self.resources)

        async def fill(one: Chosen, compute: Compute) -> None:
            with span("reward", reward=one.reward.label or one.reward.name):
                columns[one.reward.name] = await _values(one, context, compute)

        try:
            if len(chosen) == 1:  # nobody to share its values with, and two tasks less
                await fill(chosen[0], context.compute)
            else:
                await asyncio.gather(*(fill(one, context.score) for one in chosen))
        finally:
            for task in context.computed.values():
                task.cancel()


async def _values(chosen: Chosen, context: GroupContext, compute: Compute) -> list[Score]:
    name, started_s = chosen.reward.label or chosen.reward.name, time.perf_counter()
    answers = context.group.completions
    try:
        found = await compute(chosen.reward, chosen.params)
        scores = [_checked(*pair) for pair in zip(found, answers, strict=True)]
    except Exception as error:  # why: a reward's bug costs its own values, not the others'
        log.exception("reward_failed", reward=name)
        reason = f"the reward failed: {type(error).__name__}: {str(error)[:500]}"
        scores = [Missing(reason)] * len(answers)
    meters_of(name).count(scores, time.perf_counter() - started_s)
    return scores


def _checked(score: Score, answer: Answer) -> Score:
    """A number that is none, or an array that does not fit the tokens, is a bug of the reward."""
    if isinstance(score, Missing) or (isinstance(score, float) and math.isfinite(score)):
        return score
    values = (*score.tokens, score.total()) if isinstance(score, PerToken) else (score,)
    wrong = next((value for value in values if not math.isfinite(value)), None)
    if wrong is not None:
        return Missing(f"the reward gave {wrong}")
    if isinstance(score, PerToken) and len(score.tokens) != answer.length_tokens():
        return Missing(
            f"the reward gave {len(score.tokens)} values for {answer.length_tokens()} tokens"
        )
    return score
