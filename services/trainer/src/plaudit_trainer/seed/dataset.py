"""The prompts of a task, split into those that are trained on and those that are held out."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plaudit_trainer.seed import arithmetic, greetings, programs, slate
from plaudit_trainer.seed.problem import Problem
from plaudit_trainer.seed.settings import SeedSettings


@dataclass(frozen=True)
class Dataset:
    """`warmup` contains `train`; neither shares a prompt with `evaluation`."""

    warmup: list[Problem]
    train: list[Problem]
    evaluation: list[Problem]


def make_dataset(settings: SeedSettings) -> Dataset:
    """Hold out first, so that the evaluation prompts are new to the warm-up as well."""
    rng = random.Random(settings.seed)
    dataset = Dataset(warmup=[], train=[], evaluation=[])
    for problems, num_eval, num_train in _kinds(settings):
        rng.shuffle(problems)
        held_out, rest = problems[:num_eval], problems[num_eval:]
        dataset.evaluation.extend(held_out)
        dataset.warmup.extend(rest)
        dataset.train.extend(rest[:num_train])
    rng.shuffle(dataset.train)
    return dataset


def _kinds(settings: SeedSettings) -> list[tuple[list[Problem], int, int]]:
    """Problems of each kind, and how many are held out and trained on at most."""
    if settings.task == "slate":
        problems = slate.problems()
        return [(problems, settings.num_eval_slate, len(problems))]
    return [
        (arithmetic.problems(), settings.num_eval_arithmetic, settings.num_train_arithmetic),
        (programs.problems(), settings.num_eval_code, settings.num_train_code),
        (greetings.problems(), settings.num_eval_free, settings.num_train_free),
    ]


def write_rows(problems: Iterable[Problem], path: Path) -> None:
    """One JSON object a line, in the given order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [problem.row().model_dump_json() + "\n" for problem in problems]
    path.write_text("".join(lines), encoding="utf-8")
