"""What a worker answers, and how the answers of all pools become one response."""

from collections.abc import Mapping, Sequence

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import CompletionScore, GroupScore, ScoreResponse
from plaudit_reward.reward import Missing, PerToken, Pool, Score


class TokenValues(Contract):
    """A value for each token, and the completion's as a whole."""

    tokens: list[float]
    value: float


Value = float | TokenValues | str
"""A value, or the reason why there is none."""
Found = list[dict[str, list[Score]]]
"""Per group, the rewards that have been computed so far."""


class PoolScores(Contract):
    """Per group, per reward, one value for each completion."""

    groups: list[dict[str, list[Value]]]
    retryable: bool = False
    """Some value is missing for a reason that may pass: not to be kept for the next caller."""

    @staticmethod
    def of(groups: Sequence[Mapping[str, Sequence[Score]]]) -> "PoolScores":
        scores = [score for group in groups for column in group.values() for score in column]
        return PoolScores.model_construct(
            groups=[{name: _values(column) for name, column in one.items()} for one in groups],
            retryable=any(isinstance(score, Missing) and score.retryable for score in scores),
        )


class PlannedReward(Contract):
    name: str
    weight: float
    pool: Pool


class PlannedGroup(Contract):
    group_id: str
    num_completions: int


class Plan(Contract):
    """What is needed to join the answers, kept for as long as a job may run."""

    groups: list[PlannedGroup]
    rewards: list[PlannedReward]

    def pools(self) -> list[Pool]:
        return list(dict.fromkeys(reward.pool for reward in self.rewards))


def completed(plan: Plan, pool: Pool, partial: PoolScores, reason: str) -> PoolScores:
    """`partial` with `reason` where the pool has not come up with anything yet."""
    names = [reward.name for reward in plan.rewards if reward.pool == pool]
    groups = [
        {name: known.get(name, [reason] * group.num_completions) for name in names}
        for group, known in zip(plan.groups, partial.groups, strict=True)
    ]
    return PoolScores.model_construct(groups=groups, retryable=True)


def join(plan: Plan, answers: Mapping[Pool, PoolScores | str]) -> ScoreResponse:
    """One response out of each pool's answer, or the reason why it has none."""
    groups = [
        GroupScore.model_construct(
            group_id=group.group_id,
            scores=_join_group(plan.rewards, _columns(plan, index, answers), group.num_completions),
        )
        for index, group in enumerate(plan.groups)
    ]
    return ScoreResponse.model_construct(groups=groups)


def _columns(
    plan: Plan, index: int, answers: Mapping[Pool, PoolScores | str]
) -> dict[str, Sequence[Value]]:
    num_completions = plan.groups[index].num_completions
    columns: dict[str, Sequence[Value]] = {}
    for reward in plan.rewards:
        answer = answers[reward.pool]
        if isinstance(answer, str):
            columns[reward.name] = [answer] * num_completions
        else:
            columns[reward.name] = answer.groups[index][reward.name]
    return columns


def _join_group(
    rewards: Sequence[PlannedReward], columns: Mapping[str, Sequence[Value]], num_completions: int
) -> list[CompletionScore]:
    return [
        _join_completion(rewards, {name: column[index] for name, column in columns.items()})
        for index in range(num_completions)
    ]


def _join_completion(
    rewards: Sequence[PlannedReward], values: Mapping[str, Value]
) -> CompletionScore:
    numbers = {name: _number(value) for name, value in values.items() if not isinstance(value, str)}
    total = sum(one.weight * numbers[one.name] for one in rewards if one.name in numbers)
    return CompletionScore.model_construct(
        total=float(total) if numbers else None,
        rewards={name: numbers.get(name) for name in values},
        errors={name: value for name, value in values.items() if isinstance(value, str)},
        token_rewards={
            name: value.tokens for name, value in values.items() if isinstance(value, TokenValues)
        },
    )


def _number(value: float | TokenValues) -> float:
    return value.value if isinstance(value, TokenValues) else value


def _values(scores: Sequence[Score]) -> list[Value]:
    return [_value(score) for score in scores]


def _value(score: Score) -> Value:
    if isinstance(score, Missing):
        return score.reason
    if isinstance(score, PerToken):
        return TokenValues.model_construct(tokens=list(score.tokens), value=score.total())
    return float(score)
