"""Held-out accuracy: sampled at the training temperature and greedy, by the same services."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plaudit.errors import Stalled, Unavailable
from plaudit.schemas.recipe import EvalRecipe
from plaudit.schemas.rollout import (
    MAX_GROUPS_PER_REQUEST,
    RolloutAck,
    RolloutGroup,
    RolloutPrompt,
    RolloutRequest,
    Sampling,
)
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.scoring import Scored, Scorer
from plaudit_trainer.data import Row

_WAIT_S = 2.0
_MAX_SCORING = 64


@dataclass(frozen=True)
class EvalGroup:
    """One held-out row, its answers and their scores."""

    row: Row
    greedy: bool
    rollout: RolloutGroup
    scored: Scored


@dataclass(frozen=True)
class EvalScorers:
    """`counted` asks for accuracy alone; `shown` for all that a training group gets."""

    counted: Scorer
    shown: Scorer


def choose_rows(rows: Sequence[Row], recipe: EvalRecipe) -> list[Row]:
    """The first `num_prompts` rows that count, then a few of the other kinds for the report."""
    counted = [row for row in rows if row.kind in recipe.reward_by_kind][: recipe.num_prompts]
    others = [row for row in rows if row.kind not in recipe.reward_by_kind]
    return [*counted, *others[: recipe.num_sample_rows]]


class Evaluation:
    """Evaluates `rows` under the policy that the engines serve now. `name`: before or after."""

    def __init__(
        self, context: Context, scorers: EvalScorers, rows: Sequence[Row], name: str
    ) -> None:
        self._context = context
        self._scorers = scorers
        self._rows = rows
        self._shown = frozenset(shown_ids(rows, context.recipe.eval))
        self._run_id = f"{context.run_id}.eval-{name}"
        self._slots = asyncio.Semaphore(_MAX_SCORING)
        self._num_scored = 0

    async def run(self) -> dict[str, Any]:
        """Raises Stalled when nothing comes back for `stall_timeout_s`."""
        prompts = self._prompts()
        self._context.waiting.note("evaluation", f"{len(prompts)} groups of {self._run_id}")
        await self._submit(prompts)
        groups = await self._collect(len(prompts))
        self._context.waiting.clear("evaluation")
        return report(groups, self._context.recipe.eval)

    def _prompts(self) -> list[RolloutPrompt]:
        recipe = self._context.recipe
        sampled = self._sampling(recipe.method.temperature)
        prompts = [
            self._prompt(row, f"{index}/sampled", recipe.eval.samples, sampled)
            for index, row in enumerate(self._rows)
        ]
        if recipe.eval.greedy:
            greedy = self._sampling(0.0)
            prompts += [
                self._prompt(row, f"{index}/greedy", 1, greedy)
                for index, row in enumerate(self._rows)
                if row.kind in recipe.eval.reward_by_kind
            ]
        return prompts

    def _sampling(self, temperature: float) -> Sampling:
        limit = self._context.recipe.method.max_completion_tokens
        return Sampling(temperature=temperature, max_tokens=limit)

    def _prompt(self, row: Row, group_id: str, n: int, sampling: Sampling) -> RolloutPrompt:
        return RolloutPrompt(
            group_id=group_id, prompt=row.prompt, n=n, sampling=sampling, reference=row.reference
        )

    async def _submit(self, prompts: Sequence[RolloutPrompt]) -> None:
        for start in range(0, len(prompts), MAX_GROUPS_PER_REQUEST):
            batch = list(prompts[start : start + MAX_GROUPS_PER_REQUEST])
            request = RolloutRequest(run_id=self._run_id, groups=batch, lane="eval")
            await self._patiently(lambda request=request: self._context.rollout.submit(request))

    async def _collect(self, num_groups: int) -> list[EvalGroup]:
        found: dict[str, asyncio.Task[EvalGroup]] = {}
        quiet_since = self._context.clock()
        async with asyncio.TaskGroup() as tasks:
            while len(found) < num_groups:
                leased = await self._patiently(
                    lambda: self._context.rollout.finished(
                        self._run_id,
                        max_groups=_MAX_SCORING,
                        wait_s=_WAIT_S,
                        consumer=self._context.consumer,
                    )
                )
                new = [group for group in leased.groups if group.group_id not in found]
                for group in new:
                    found[group.group_id] = tasks.create_task(self._score(group))
                if new:
                    quiet_since = self._context.clock()
                self._check_quiet(quiet_since, num_groups - len(found))
        await self._context.ledger.set_progress(evaluated=len(found))
        await self._acknowledge(list(found))
        return [task.result() for task in found.values()]

    def _check_quiet(self, quiet_since: float, num_missing: int) -> None:
        limit_s = self._context.recipe.pipeline.stall_timeout_s
        if self._context.clock() - quiet_since > limit_s:
            raise Stalled(
                f"evaluation {self._run_id}: {num_missing} groups did not come back within "
                f"pipeline.stall_timeout_s = {limit_s:g}.",
                fix="look at the rollout service's log",
            )

    async def _score(self, group: RolloutGroup) -> EvalGroup:
        index, _, mode = group.group_id.partition("/")
        row = self._rows[int(index)]
        is_shown = mode == "sampled" and row.id in self._shown
        scorer = self._scorers.shown if is_shown else self._scorers.counted
        async with self._slots:
            if group.error is not None:
                scored = Scored(scores=[])
            else:
                scored = await scorer.score(group, row.kind, f"{self._run_id}/{group.group_id}")
        self._num_scored += 1
        await self._context.ledger.set_progress(evaluated=self._num_scored)
        return EvalGroup(row=row, greedy=mode == "greedy", rollout=group, scored=scored)

    async def _acknowledge(self, group_ids: list[str]) -> None:
        for start in range(0, len(group_ids), MAX_GROUPS_PER_REQUEST):
            batch = group_ids[start : start + MAX_GROUPS_PER_REQUEST]
            ack = RolloutAck(run_id=self._run_id, group_ids=batch)
            await self._patiently(lambda ack=ack: self._context.rollout.ack(ack))

    async def _patiently(self, call: Any) -> Any:
        """Repeat `call` while the service is away, at most for `stall_timeout_s`."""
        deadline = self._context.clock() + self._context.recipe.pipeline.stall_timeout_s
        while True:
            try:
                return await call()
            except Unavailable:
                if self._context.clock() > deadline:
                    raise
                await self._context.pause(1.0)


def report(groups: Sequence[EvalGroup], recipe: EvalRecipe) -> dict[str, Any]:
    """Accuracy over the kinds that count, per prompt so that gains can be paired."""
    sampled = {group.row.id: group for group in groups if not group.greedy}
    greedy = {group.row.id: group for group in groups if group.greedy}
    by_prompt = _accuracies(sampled, recipe)
    rows = [group.row for group in sampled.values()]
    kinds = sorted({group.row.kind for group in groups if group.row.kind in recipe.reward_by_kind})
    by_kind = {
        kind: mean([a for row_id, a in by_prompt.items() if sampled[row_id].row.kind == kind])
        for kind in kinds
    }
    return {
        "accuracy": mean(list(by_prompt.values())),
        "greedy": mean(list(_accuracies(greedy, recipe).values())),
        "by_kind": by_kind,
        "by_prompt": by_prompt,
        "policy_versions": sorted(
            {v for g in groups for c in g.rollout.completions for v in c.policy_versions}
        ),
        "rows": [_row(sampled[row_id]) for row_id in shown_ids(rows, recipe)],
    }


def shown_ids(rows: Sequence[Row], recipe: EvalRecipe) -> list[str]:
    """A few rows of every kind, for the report."""
    kinds = sorted({row.kind for row in rows})
    each = max(1, recipe.num_sample_rows // max(1, len(kinds)))
    by_kind = [sorted(row.id for row in rows if row.kind == kind) for kind in kinds]
    return [row_id for row_ids in by_kind for row_id in row_ids[:each]]


def _accuracies(groups: dict[str, EvalGroup], recipe: EvalRecipe) -> dict[str, float]:
    """Share of correct samples by row id; a sample without a score counts neither way."""
    shares = {}
    for row_id, group in groups.items():
        reward = recipe.reward_by_kind.get(group.row.kind)
        if reward is None:
            continue
        values = [score.rewards.get(reward) for score in group.scored.scores]
        known = [value >= recipe.correct_at for value in values if value is not None]
        if known:
            shares[row_id] = sum(known) / len(known)
    return shares


def _row(group: EvalGroup) -> dict[str, Any]:
    pairs = zip(group.rollout.completions, group.scored.scores, strict=False)
    samples = [
        {"text": completion.text, "rewards": score.rewards, "total": score.total}
        for completion, score in pairs
    ]
    prompt = group.row.prompt[-1].content
    return {"id": group.row.id, "kind": group.row.kind, "prompt": prompt, "samples": samples}


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
