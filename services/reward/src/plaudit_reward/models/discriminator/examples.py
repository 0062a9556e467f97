"""What a discriminator learns from: texts of the expert (1) and of the policy (0)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from plaudit.errors import Rejected
from plaudit.schemas.discriminator import MAX_EXAMPLES, DiscriminatorUpdate, Example
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.models.discriminator.situation import Situation, expert_action, situation_of
from plaudit_reward.reward import Missing


@dataclass(frozen=True)
class Labelled:
    """`num_choices`: answers of the policy that this is the action of; none for one drawn at
    random, and for the expert's those that chose as the expert did."""

    text: str
    label: int
    num_choices: int


@dataclass(frozen=True)
class Examples:
    labelled: Sequence[Labelled]
    num_left_out: int = 0


def examples_of(
    update: DiscriminatorUpdate, template: str, extra_negatives: int, seed: str
) -> Examples:
    """The same for the same `seed`. Raises Rejected when there are more than MAX_EXAMPLES."""
    parts = [_given(one, template) for one in update.examples]
    random = Random(seed)
    parts += [_of_group(one, template, extra_negatives, random) for one in update.groups]
    found = [one for part in parts for one in part.labelled]
    if len(found) > MAX_EXAMPLES:
        raise Rejected(
            f"the update has {len(found)} examples, over {MAX_EXAMPLES}.",
            fix="send it as several updates",
        )
    return Examples(found, sum(part.num_left_out for part in parts))


def _given(example: Example, template: str) -> Examples:
    text = example.text
    if text is None:
        situation = Situation(example.state, example.viewer, tuple(example.options))
        text = situation.text(template, example.action or "")
    return Examples([Labelled(text, example.label, int(example.label == 0))])


def _of_group(group: RewardGroup, template: str, extra_negatives: int, random: Random) -> Examples:
    situation = situation_of(group)
    expert = None if isinstance(situation, Missing) else expert_action(group, situation)
    if isinstance(situation, Missing) or expert is None:
        return Examples([], 1)
    actions = [situation.action_of(one.text) for one in group.completions]
    policy = [one for one in actions if one is not None and one != expert]
    drawn = _drawn(situation, expert, extra_negatives, random)
    labelled = [Labelled(situation.text(template, expert), 1, actions.count(expert))]
    labelled += [Labelled(situation.text(template, one), 0, 1) for one in policy]
    labelled += [Labelled(situation.text(template, one), 0, 0) for one in drawn]
    return Examples(labelled, actions.count(None))


def _drawn(situation: Situation, expert: str, most: int, random: Random) -> Iterator[str]:
    others = sorted(set(situation.options) - {expert})
    yield from random.sample(others, min(most, len(others)))
