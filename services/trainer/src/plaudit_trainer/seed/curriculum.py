"""What the warm-up shows: a mixture of right replies, bad habits and judge verdicts."""

import random
from collections.abc import Iterator
from itertools import count

from plaudit_trainer.seed.judging import comparison
from plaudit_trainer.seed.problem import Message, Problem
from plaudit_trainer.seed.settings import SeedSettings

Example = tuple[list[Message], str]


def examples(
    problems: list[Problem], settings: SeedSettings, rng: random.Random
) -> Iterator[Example]:
    """An endless stream of conversations and the replies to learn."""
    by_kind: dict[str, list[Problem]] = {}
    for problem in problems:
        by_kind.setdefault(problem.kind, []).append(problem)
    tasks, weights = list(settings.warmup_mix), list(settings.warmup_mix.values())
    for index in count():
        task = rng.choices(tasks, weights)[0]
        if task == "judge":
            prompt, verdict = comparison(rng.choice(by_kind["free"]), rng)
            yield [{"role": "user", "content": prompt}], verdict
        else:
            right_share = 1.0 if index < settings.num_skill_examples else settings.right_share
            yield _reply(rng.choice(by_kind[task]), right_share, rng)


def _reply(problem: Problem, right_share: float, rng: random.Random) -> Example:
    replies = problem.right if rng.random() < right_share else problem.habits
    return problem.messages(), rng.choice(replies)
