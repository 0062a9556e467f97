"""Counterfactuals: a completion up to a unit, with that unit blanked, and their rewards."""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from plaudit.client import RewardClient
from plaudit.errors import PlauditError, Unavailable
from plaudit.schemas.recipe import DrcaRecipe, PipelineRecipe, RewardRecipe
from plaudit.schemas.reward import (
    Answer,
    CompletionScore,
    RewardGroup,
    RewardSpec,
    ScoreRequest,
    ScoreResponse,
)
from plaudit.schemas.rollout import RolloutGroup
from plaudit.telemetry import span
from plaudit_trainer.conductor.units.detokenizer import Decoded, Detokenizer
from plaudit_trainer.conductor.units.extraction import units_of

MAX_ANSWERS_PER_GROUP = 256
Rewards = dict[str, float | None]


@dataclass
class Blanked:
    """Units by completion, and the rewards of each with that unit blanked, in the same order."""

    units: list[list[range]]
    rewards: list[Rewards] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Why some of these rewards are null."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Counterfactuals:
    recipe: DrcaRecipe
    pipeline: PipelineRecipe
    detokenizer: Detokenizer
    reward_client: RewardClient

    async def score(
        self, group: RolloutGroup, rewards: Sequence[RewardRecipe], key: str
    ) -> Blanked:
        """All of a group in one call. Raises ConfigError when units cannot be found."""
        started_s = time.monotonic()
        units, answers = await asyncio.to_thread(self._found, group)
        blanked = Blanked(units)
        names = [reward.name for reward in rewards]
        try:
            with span("counterfactuals"):
                found = await self._call(group, rewards, answers, key) if answers else []
        except PlauditError as error:
            blanked.rewards = [dict.fromkeys(names) for _ in answers]
            blanked.missing = [str(error)]
        else:
            blanked.rewards = [_of_names(score, names) for score in found]
            blanked.missing = sorted(_reasons(found, names))
        blanked.seconds = time.monotonic() - started_s
        return blanked

    def _found(self, group: RolloutGroup) -> tuple[list[list[range]], list[Answer]]:
        """In a thread: long completions take milliseconds."""
        units, answers = [], []
        for completion in group.completions:
            decoded = self.detokenizer.decode(group.prompt_token_ids, completion.token_ids)
            units.append(units_of(completion, decoded, self.recipe))
            answers += [counterfactual(decoded, unit) for unit in units[-1]]
        return units, answers

    async def _call(
        self,
        group: RolloutGroup,
        rewards: Sequence[RewardRecipe],
        answers: Sequence[Answer],
        key: str,
    ) -> list[CompletionScore]:
        """Raises PlauditError."""
        if self.pipeline.reward_delay_s:
            await asyncio.sleep(self.pipeline.reward_delay_s)
        request = ScoreRequest(
            groups=list(_in_groups(group, answers)),
            rewards=[RewardSpec(name=r.name, weight=r.weight, params=r.params) for r in rewards],
        )
        response = await self.reward_client.score(
            request,
            idempotency_key=f"{key}/counterfactuals",
            timeout_s=self.pipeline.reward_timeout_s,
        )
        return _scores(request, response)


def counterfactual(decoded: Decoded, unit: range) -> Answer:
    """The text before the unit and a space in its place, ended there."""
    before = decoded.text[: decoded.offsets[unit.start]]
    return Answer(text=f"{before} ", num_tokens=unit.start + 1, finish_reason="stop")


def _in_groups(group: RolloutGroup, answers: Sequence[Answer]) -> Iterator[RewardGroup]:
    for start in range(0, len(answers), MAX_ANSWERS_PER_GROUP):
        yield RewardGroup(
            group_id=f"{group.group_id}/{start}",
            prompt=group.prompt,
            completions=list(answers[start : start + MAX_ANSWERS_PER_GROUP]),
            reference=group.reference,
        )


def _scores(request: ScoreRequest, response: ScoreResponse) -> list[CompletionScore]:
    """In the order of the request. Raises Unavailable when the answer is about something else."""
    by_id = {group.group_id: group.scores for group in response.groups}
    found = []
    for group in request.groups:
        scores = by_id.get(group.group_id, [])
        if len(scores) != len(group.completions):
            raise Unavailable(
                f"the reward service answered for {len(scores)} counterfactuals of "
                f"{group.group_id}, which has {len(group.completions)}."
            )
        found += scores
    return found


def _of_names(score: CompletionScore, names: Sequence[str]) -> Rewards:
    values = {name: score.rewards.get(name) for name in names}
    return {
        name: value if value is not None and math.isfinite(value) else None
        for name, value in values.items()
    }


def _reasons(scores: Sequence[CompletionScore], names: Sequence[str]) -> set[str]:
    return {
        score.errors.get(name, "the service gave no number")
        for score in scores
        for name, value in _of_names(score, names).items()
        if value is None
    }
