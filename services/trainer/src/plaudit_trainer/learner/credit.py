"""Credit: what each completion of a group is worth to the learner, from the scores of the group.

Advantages are made of it on every rank, by the method's estimator.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from plaudit.errors import ConfigError
from plaudit.mixing import Group, Mixer, Values
from plaudit.schemas.recipe import GROUP_RELATIVE, MethodRecipe
from plaudit.schemas.reward import CompletionScore
from plaudit.schemas.rollout import Completion
from plaudit.schemas.run import ReadyGroup

LARGEST_REWARD = 1e9
"""A value beyond it (or not finite) is a fault of its service and counts as missing."""


@dataclass(frozen=True)
class Credit:
    """Entry i belongs to completion i. `totals[i]` is None where it cannot be compared: masked."""

    totals: list[float | None]
    rewards: list[float | None]
    """The totals without scaling and clipping, and with what went to single tokens: how good the
    completions were."""
    token_rewards: list[list[float]] = field(default_factory=list)
    """Of each completion's tokens, weighed and summed, in methods with rewards per token; what is
    here is not in `totals`."""
    values: Sequence[Values] = ()
    """What the totals were made of, by reward, before weights."""

    @property
    def has_zero_variance(self) -> bool:
        shown = self.rewards if self.token_rewards else self.totals
        known = [total for total in shown if total is not None]
        return max(known) == min(known)


def min_comparable(method: MethodRecipe) -> int:
    """Completions of a group with comparable totals, below which it cannot be trained on."""
    return 2 if method.name in GROUP_RELATIVE else 1


def assign_credits(
    groups: Sequence[ReadyGroup], mixer: Mixer, method: MethodRecipe
) -> list[Credit | None]:
    """Of all groups of a step, whose rewards may be scaled together; None where too few can be
    compared. Raises ConfigError when rewards per token cannot be mixed as asked."""
    per_token = [_per_token(group, mixer, method) for group in groups]
    batch: list[Group] = [
        _sane_values(group, mixer.rewards, names)
        for group, names in zip(groups, per_token, strict=True)
    ]
    mixed, plain = (batch, batch) if mixer.is_plain else (mixer.mix(batch), _unscaled(mixer, batch))
    return [
        _credit(*one, mixer, method) for one in zip(groups, mixed, plain, per_token, strict=True)
    ]


def means(credits: Iterable[Credit]) -> dict[str, float]:
    """Of each reward over all completions, after gates, scaling and clipping."""
    columns: dict[str, list[float]] = {}
    for credit in credits:
        for values in credit.values:
            for name, value in values.items():
                if value is not None:
                    columns.setdefault(name, []).append(value)
    return {name: statistics.fmean(column) for name, column in columns.items()}


def comparable_totals(group: Sequence[Values], weights: Mapping[str, float]) -> list[float | None]:
    """Weighted sums.

    A reward that is null for every completion is left out: that is fair within the group. A
    completion that lacks a reward which others of the group have has no total: it would be a sum
    over other rewards than theirs.
    """
    names = [name for name in weights if any(v.get(name) is not None for v in group)]
    return [_total(values, names, weights) if names else None for values in group]


def _credit(
    group: ReadyGroup,
    values: Group,
    rewards: Group,
    per_token: Set[str],
    mixer: Mixer,
    method: MethodRecipe,
) -> Credit | None:
    weights = {name: 0.0 if name in per_token else w for name, w in mixer.weights.items()}
    totals = comparable_totals(values, weights)
    if sum(total is not None for total in totals) < min_comparable(method):
        return None
    credit = Credit(totals, comparable_totals(rewards, mixer.weights), values=values)
    if not per_token:
        return credit
    tokens = [
        [] if total is None else _token_rewards(group.scores[row], per_token, mixer)
        for row, total in enumerate(totals)
    ]
    return replace(credit, token_rewards=tokens)


def _per_token(group: ReadyGroup, mixer: Mixer, method: MethodRecipe) -> set[str]:
    """The rewards that count per token."""
    if method.name in GROUP_RELATIVE:
        return set()
    per_token = {name for s in group.scores for name in s.token_rewards if name in mixer.rewards}
    for name in per_token:
        rule = mixer.rewards[name]
        if rule.scale != "none" or rule.clip is not None:
            raise ConfigError(
                f"rewards: {name!r} gives rewards per token, which {method.name!r} uses as they "
                "are; it has scale or clip, which are of whole completions.",
                fix="take them out (`weight` and `gate` stay), or choose a group-relative method",
            )
    if method.name == "unit_ppo" and not per_token and _is_complete(group, mixer):
        raise ConfigError(
            f"method.name = 'unit_ppo': none of the rewards {sorted(mixer.rewards)} gives rewards "
            "per token.",
            fix="add the reward 'unit_reward_model', or choose method.name = 'ppo'",
        )
    return per_token


def _is_complete(group: ReadyGroup, mixer: Mixer) -> bool:
    """Nothing is missing that might have had rewards per token."""
    return all(s.rewards.get(name) is not None for s in group.scores for name in mixer.rewards)


def _token_rewards(score: CompletionScore, per_token: Set[str], mixer: Mixer) -> list[float]:
    """The weighted sum, for each token. A shut gate makes a reward 0."""
    weights = {
        name: 0.0 if mixer.is_shut(name, score.rewards) else mixer.weights[name]
        for name in per_token & score.token_rewards.keys()
    }
    columns = [[w * value for value in score.token_rewards[name]] for name, w in weights.items()]
    return [math.fsum(values) for values in zip(*columns, strict=True)]


def _unscaled(mixer: Mixer, batch: Sequence[Group]) -> Sequence[Group]:
    return mixer.unscaled().mix(batch)


def _sane_values(group: ReadyGroup, names: Iterable[str], per_token: Set[str]) -> list[Values]:
    """What is no sane number is missing, and so is what lacks a sane one for each token."""
    return [
        {
            name: _sane(score.rewards.get(name))
            if name not in per_token or _are_sane(score.token_rewards.get(name), completion)
            else None
            for name in names
        }
        for score, completion in zip(group.scores, group.rollout.completions, strict=True)
    ]


def _are_sane(values: Sequence[float] | None, completion: Completion) -> bool:
    if values is None or len(values) != len(completion.token_ids):
        return False
    return all(_sane(value) is not None for value in values)


def _total(values: Values, names: Sequence[str], weights: Mapping[str, float]) -> float | None:
    known = {name: value for name in names if (value := values.get(name)) is not None}
    if len(known) < len(names):
        return None
    return math.fsum(weights[name] * value for name, value in known.items())


def _sane(value: float | None) -> float | None:
    is_sane = value is not None and math.isfinite(value) and abs(value) <= LARGEST_REWARD
    return value if is_sane else None
