"""What the held-out gain does not say: of GRAIL its discriminator, of SR-R1 its own judging."""

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from offline_policy import Policy
from sweep import interval

from plaudit.config import load_recipe
from plaudit_trainer.seed.dataset import make_dataset
from plaudit_trainer.seed.judging import VERDICTS, judge_prompt
from plaudit_trainer.seed.problem import Problem
from plaudit_trainer.seed.settings import SeedSettings

CHANCE = 0.5


def proofs(method: str, run_dirs: Sequence[Path]) -> list[str]:
    """Rows of a table: method, measure, first value, last value, difference over the seeds."""
    return _PROOFS[method](run_dirs) if method in _PROOFS else []


def _row(method: str, what: str, pairs: Sequence[tuple[float, float]], than: float | None) -> str:
    first, last = (statistics.fmean(values) for values in zip(*pairs, strict=True))
    gains = interval([after - (before if than is None else than) for before, after in pairs])
    return f"| {method} | {what} | {first:.3f} | {last:.3f} | {gains} |"


def _grail(run_dirs: Sequence[Path]) -> list[str]:
    what = "separation of expert and policy by the discriminator: first half, last quarter"
    return [_row("grail", what, [_separations(path) for path in run_dirs], None)]


def _separations(run_dir: Path) -> tuple[float, float]:
    """Mean over the groups that it learned from, in their order."""
    lessons = map(json.loads, (run_dir / "discriminator.jsonl").read_text().splitlines())
    by_group = [
        one["separation"]
        for one in lessons
        for _ in one["group_ids"]
        if one["separation"] is not None
    ]
    half, quarter = len(by_group) // 2, len(by_group) // 4
    return statistics.fmean(by_group[:half]), statistics.fmean(by_group[-quarter:])


def _sr_r1(run_dirs: Sequence[Path]) -> list[str]:
    problems = [one for one in make_dataset(SeedSettings()).evaluation if one.kind == "free"]
    found = [_before_and_after(path, problems, (_agreement, _share_right)) for path in run_dirs]
    agreement, right = zip(*found, strict=True)
    return [
        _row(
            "sr_r1",
            "its own verdicts that rank a right reply first; over chance",
            agreement,
            CHANCE,
        ),
        _row("sr_r1", "held-out free replies that are right", right, None),
    ]


Measure = Callable[[Policy, Sequence[Problem]], float]


def _before_and_after(
    run_dir: Path, problems: Sequence[Problem], measures: Sequence[Measure]
) -> list[tuple[float, float]]:
    """By each of the measures."""
    before = Policy(Path(load_recipe(run_dir / "recipe.toml").model.path))
    after = Policy(run_dir / "final")
    return [(measure(before, problems), measure(after, problems)) for measure in measures]


def _agreement(policy: Policy, problems: Sequence[Problem]) -> float:
    """Each right reply against each habit, in both orders: the likelier verdict is the truth."""
    found = []
    for problem in problems:
        for right in problem.right:
            for habit in problem.habits:
                for replies, truth in (((right, habit), 0), ((habit, right), 1)):
                    asked = judge_prompt(problem.prompt, *replies)
                    said = [policy.logprob(asked, verdict) for verdict in VERDICTS]
                    found.append(said[truth] > said[1 - truth])
    return statistics.fmean(found)


def _share_right(policy: Policy, problems: Sequence[Problem]) -> float:
    """The likeliest reply to each prompt uses the name."""
    return statistics.fmean(
        problem.reference["mentions"] in policy.reply(problem.prompt) for problem in problems
    )


_PROOFS = {"grail": _grail, "sr_r1": _sr_r1}
