"""Score one group: every reward and the judge at once, joined. Missing is null, never 0."""

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from plaudit.client import JudgeClient, RewardClient
from plaudit.errors import DeadlineExceeded, PlauditError, Unavailable
from plaudit.mixing import Mixer
from plaudit.schemas.common import Lane
from plaudit.schemas.judge import TournamentRequest, TournamentRules
from plaudit.schemas.mixing import Mixed, Mixing
from plaudit.schemas.recipe import JUDGE_KEY, JudgeRecipe, PipelineRecipe, RewardRecipe
from plaudit.schemas.reward import (
    TOKEN_REWARDS,
    Answer,
    CompletionScore,
    RewardGroup,
    RewardSpec,
    ScoreRequest,
    ScoreResponse,
)
from plaudit.schemas.rollout import RolloutGroup
from plaudit.schemas.run import Unit
from plaudit.telemetry import span

Part = list[CompletionScore]
"""What one source (the reward service, the judge) says of each completion."""


@dataclass
class Scored:
    """The joined scores of a group, and the seconds that each source took."""

    scores: list[CompletionScore]
    seconds: dict[str, float] = field(default_factory=dict)
    is_judged: bool = False
    """The judge has answered: the same tournament would get the same answer again."""
    units: list[list[Unit]] = field(default_factory=list)
    """Of each completion, where the method has units."""
    missing_counterfactuals: list[str] = field(default_factory=list)
    """Why differences of units are null."""

    def is_complete(self) -> bool:
        return not self.reasons()

    def reasons(self) -> list[str]:
        """Why something is missing."""
        found = {text for score in self.scores for text in score.errors.values()}
        return sorted({*found, *self.missing_counterfactuals})


class GroupScorer(Protocol):
    async def score(
        self, group: RolloutGroup, kind: str, key: str, tournament: int = 0
    ) -> Scored: ...


@dataclass(frozen=True)
class Scorer:
    """Which rewards and which judge apply to a kind of row, and whom to ask."""

    rewards: Sequence[RewardRecipe]
    judge: JudgeRecipe | None
    pipeline: PipelineRecipe
    reward_client: RewardClient
    judge_client: JudgeClient
    lane: Lane = "train"
    mixing: Mixing = field(default_factory=Mixing)
    run_id: str | None = None

    async def score(self, group: RolloutGroup, kind: str, key: str, tournament: int = 0) -> Scored:
        """`key` makes a repeated call cheap: the services hand back the result that exists.

        Another `tournament` has the judge, which remembers what it said, judge anew.
        """
        scored = Scored(scores=[])
        rewards = self.rewards_of(kind)
        parts: list[Awaitable[Part]] = []
        if rewards:
            names = [reward.name for reward in rewards]
            call = self._call_rewards(group, rewards, key)
            parts.append(self._bounded("reward", names, group, scored, call))
        if self.judge is not None and _applies(self.judge.kinds, kind):
            call = self._call_judge(group, self.judge, f"{key}/{tournament}", scored)
            parts.append(self._bounded("judge", [JUDGE_KEY], group, scored, call))
        scored.scores = join(await asyncio.gather(*parts), self._mixer(), len(group.completions))
        return scored

    def rewards_of(self, kind: str) -> list[RewardRecipe]:
        return [reward for reward in self.rewards if _applies(reward.kinds, kind)]

    def _mixer(self) -> Mixer:
        mixed: dict[str, Mixed] = {reward.name: reward for reward in self.rewards}
        if self.judge is not None:
            mixed[JUDGE_KEY] = self.judge
        return Mixer.of(mixed, self.mixing).unscaled()

    async def _bounded(
        self,
        source: str,
        names: list[str],
        group: RolloutGroup,
        scored: Scored,
        call: Callable[[], Awaitable[Part]],
    ) -> Part:
        """Run `call`, which keeps to the deadline; what it could not give is null with why not."""
        started_s = time.monotonic()
        try:
            if self.pipeline.reward_delay_s:
                await asyncio.sleep(self.pipeline.reward_delay_s)
            with span(source):
                return await call()
        except DeadlineExceeded as error:
            reason = f"pipeline.reward_timeout_s = {self.pipeline.reward_timeout_s:g}: {error}"
        except PlauditError as error:
            reason = str(error)
        finally:
            scored.seconds[source] = time.monotonic() - started_s
        return _missing(names, reason, len(group.completions))

    def _call_rewards(
        self, group: RolloutGroup, rewards: list[RewardRecipe], key: str
    ) -> Callable[[], Awaitable[Part]]:
        request = ScoreRequest(
            groups=[reward_group(group, {reward.name for reward in rewards})],
            rewards=[RewardSpec(name=r.name, weight=r.weight, params=r.params) for r in rewards],
            lane=self.lane,
        )

        async def call() -> Part:
            response = await self.reward_client.score(
                request,
                idempotency_key=f"{key}/score",
                timeout_s=self.pipeline.reward_timeout_s,
            )
            return _checked(response, [reward.name for reward in rewards], group)

        return call

    def _call_judge(
        self, group: RolloutGroup, judge: JudgeRecipe, key: str, scored: Scored
    ) -> Callable[[], Awaitable[Part]]:
        request = TournamentRequest(
            prompt=group.prompt,
            responses=[completion.text for completion in group.completions],
            judge=judge.judge,
            rubric=judge.rubric,
            seed=_seed(key),
            lane=self.lane,
            run_id=self.run_id,
            **judge.model_dump(include={*TournamentRules.model_fields}),
        )

        async def call() -> Part:
            response = await self.judge_client.tournament(
                request,
                idempotency_key=f"{key}/tournament",
                timeout_s=self.pipeline.reward_timeout_s,
            )
            scored.is_judged = True
            _check_number("the judge service", len(response.rewards), group)
            return [_judged(reward) for reward in response.rewards]

        return call


def join(parts: Sequence[Part], mixer: Mixer, num_completions: int) -> Part:
    """Merge the sources, completion by completion; the total is for people to look at, and the
    learner, who sees all groups of a step, mixes anew."""
    rewards: list[dict[str, float | None]] = [{} for _ in range(num_completions)]
    errors: list[dict[str, str]] = [{} for _ in range(num_completions)]
    tokens: list[dict[str, list[float]]] = [{} for _ in range(num_completions)]
    for part in parts:
        for index, score in enumerate(part):
            rewards[index] |= score.rewards
            errors[index] |= score.errors
            tokens[index] |= score.token_rewards
    [mixed] = mixer.mix([rewards])
    return [
        CompletionScore(
            total=mixer.total(values), rewards=found, errors=missing, token_rewards=per_token
        )
        for values, found, missing, per_token in zip(mixed, rewards, errors, tokens, strict=True)
    ]


def _applies(kinds: list[str] | None, kind: str) -> bool:
    return kinds is None or kind in kinds


def reward_group(group: RolloutGroup, names: Set[str]) -> RewardGroup:
    """With token ids only where somebody looks at them: they double what is sent."""
    answers = [
        Answer(
            text=completion.text,
            num_tokens=len(completion.token_ids),
            token_ids=completion.token_ids if names & TOKEN_REWARDS else None,
            finish_reason=completion.finish_reason,
        )
        for completion in group.completions
    ]
    return RewardGroup(
        group_id=group.group_id,
        prompt=group.prompt,
        completions=answers,
        reference=group.reference,
    )


def _checked(response: ScoreResponse, names: list[str], group: RolloutGroup) -> Part:
    """What the service said of exactly these rewards; what it left out is null with a reason."""
    found = [scores for scores in response.groups if scores.group_id == group.group_id]
    scores = found[0].scores if found else []
    _check_number("the reward service", len(scores), group)
    return [_complete(score, names) for score in scores]


def _complete(score: CompletionScore, names: list[str]) -> CompletionScore:
    rewards = {name: _finite(score.rewards.get(name)) for name in names}
    missing = [name for name, value in rewards.items() if value is None]
    reasons = {name: score.errors.get(name, "the service gave no number") for name in missing}
    tokens = {name: values for name, values in score.token_rewards.items() if name in names}
    return CompletionScore(total=None, rewards=rewards, errors=reasons, token_rewards=tokens)


def _finite(value: float | None) -> float | None:
    """NaN and infinity would spoil the weights of every completion in the batch."""
    return value if value is not None and math.isfinite(value) else None


def _check_number(peer: str, number: int, group: RolloutGroup) -> None:
    wanted = len(group.completions)
    if number != wanted:
        raise Unavailable(
            f"{peer} answered for {number} completions of {group.group_id}, which has {wanted}."
        )


def _judged(answer: float | None) -> CompletionScore:
    reward = _finite(answer)
    errors = {} if reward is not None else {JUDGE_KEY: "no verdict could be parsed"}
    return CompletionScore(total=reward, rewards={JUDGE_KEY: reward}, errors=errors)


def _missing(names: list[str], reason: str, num_completions: int) -> Part:
    score = CompletionScore(
        total=None,
        rewards=dict.fromkeys(names),
        errors=dict.fromkeys(names, reason),
    )
    return [score] * num_completions


def _seed(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
