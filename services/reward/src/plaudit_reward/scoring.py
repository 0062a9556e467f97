"""What a worker does with a request: the rewards of its own pool, group by group."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from plaudit.client import SandboxClient
from plaudit.errors import Unavailable
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import Answer, RewardGroup, ScoreRequest
from plaudit.schemas.sandbox import RunRequest, RunResult
from plaudit.telemetry import get_logger
from plaudit_reward.metrics import SCORES, SECONDS
from plaudit_reward.registry import Chosen, Registry
from plaudit_reward.reward import Missing, PerToken, Pool, Reward, Score
from plaudit_reward.verifier.verifier import Verifier
from plaudit_reward.wire import Found, PoolScores

T = TypeVar("T")

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
            self.computed[key] = asyncio.create_task(reward(self.group, params, self))
        return await self.computed[key]

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

        async def fill(one: Chosen) -> None:
            columns[one.reward.name] = await self._values(one, context)

        try:
            if len(chosen) == 1:  # a task less for each group of a large request
                await fill(chosen[0])
            else:
                await asyncio.gather(*(fill(one) for one in chosen))
        finally:
            for task in context.computed.values():
                task.cancel()

    async def _values(self, chosen: Chosen, context: GroupContext) -> list[Score]:
        name, started_s = chosen.reward.label or chosen.reward.name, time.perf_counter()
        try:
            scores = [
                _checked(score, answer)
                for score, answer in zip(
                    await context.score(chosen.reward, chosen.params),
                    context.group.completions,
                    strict=True,
                )
            ]
        except Exception as error:  # why: a reward's bug costs its own values, not the others'
            log.exception("reward_failed", reward=name)
            reason = f"the reward failed: {type(error).__name__}: {str(error)[:500]}"
            scores = [Missing(reason)] * len(context.group.completions)
        SECONDS.labels(name).observe(time.perf_counter() - started_s)
        num_missing = sum(isinstance(score, Missing) for score in scores)
        SCORES.labels(name, "missing").inc(num_missing)
        SCORES.labels(name, "scored").inc(len(scores) - num_missing)
        return scores


def _checked(score: Score, answer: Answer) -> Score:
    """A number that is none, or an array that does not fit the tokens, is a bug of the reward."""
    if isinstance(score, Missing):
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
