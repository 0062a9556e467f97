"""What a worker answers, and how the answers of all pools become one response."""

from collections.abc import Mapping, Sequence

from plaudit.mixing import Mixer, Values
from plaudit.schemas.common import Contract
from plaudit.schemas.mixing import Mixed, Mixing
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
    pool: Pool
    mixed: Mixed


class PlannedGroup(Contract):
    group_id: str
    num_completions: int


class Plan(Contract):
    """What is needed to join the answers, kept for as long as a job may run."""

    groups: list[PlannedGroup]
    rewards: list[PlannedReward]
    mixing: Mixing = Mixing()

    def mixer(self) -> Mixer:
        return Mixer.of({one.name: one.mixed for one in self.rewards}, self.mixing)

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
    mixer = plan.mixer()
    found = [_completions(plan, index, answers) for index in range(len(plan.groups))]
    batch = [[_numbers(values) for values in completions] for completions in found]
    mixed = batch if mixer.is_plain else mixer.mix(batch)
    groups = [
        GroupScore(
            group_id=group.group_id,
            scores=[_score(*one, mixer) for one in zip(found[i], batch[i], mixed[i], strict=True)],
        )
        for i, group in enumerate(plan.groups)
    ]
    return ScoreResponse.model_construct(groups=groups)


def _completions(
    plan: Plan, index: int, answers: Mapping[Pool, PoolScores | str]
) -> list[dict[str, Value]]:
    """What each completion of a group got."""
    columns = _columns(plan, index, answers)
    return [
        {name: column[row] for name, column in columns.items()}
        for row in range(plan.groups[index].num_completions)
    ]


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


def _numbers(values: Mapping[str, Value]) -> dict[str, float | None]:
    return {
        name: None if isinstance(value, str) else _number(value) for name, value in values.items()
    }


def _score(
    values: Mapping[str, Value], numbers: Values, mixed: Values, mixer: Mixer
) -> CompletionScore:
    return CompletionScore(
        total=mixer.total(mixed),
        rewards=numbers,
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
