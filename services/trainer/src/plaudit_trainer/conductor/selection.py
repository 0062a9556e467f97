"""Which prompts get their turn: those that still teach something, and the others now and then.

Dynamic sampling leaves out what is solved or hopeless (DAPO, arXiv 2503.14476, section 3.2); the
curriculum prefers prompts that are solved half the time, by 4 s (1 - s) of their success rate s
("Learning to Reason at the Frontier of Learnability", arXiv 2502.12272).
"""

import random
from collections import Counter
from collections.abc import Sequence

from plaudit.schemas.recipe import EvalRecipe, Recipe, SelectionRecipe
from plaudit.schemas.reward import CompletionScore

PASSED_OVER = "passed_over"
"""The reason for which a group is dropped whose prompt did not get its turn."""


class Selection:
    """Success rates by row id. A row that nobody has tried always gets its turn."""

    def __init__(self, recipe: Recipe) -> None:
        self._rule = recipe.pipeline.selection
        self._eval = recipe.eval
        self._seed = recipe.seed
        self._rates: dict[str, float] = {}

    @property
    def is_on(self) -> bool:
        return self._rule.by != "all"

    def restore(self, rates: dict[str, float]) -> None:
        self._rates = rates | self._rates

    def takes(self, group_id: str, row_id: str) -> bool:
        """The same for the same group and success rate, also after a restart."""
        rate = self._rates.get(row_id)
        if not self.is_on or rate is None:
            return True
        return random.Random(f"{self._seed}/{group_id}").random() < share_of_turns(rate, self._rule)

    def learn(self, row_id: str, kind: str, scores: Sequence[CompletionScore]) -> float | None:
        """The row's new success rate, or None where nothing says whether it was solved."""
        newest = success_rate(kind, scores, self._eval)
        if newest is None:
            return None
        before = self._rates.get(row_id, newest)
        rate = before + self._rule.memory * (newest - before)
        self._rates[row_id] = rate
        return rate

    def counts(self) -> dict[str, int]:
        """How many of the rows tried so far are solved, hopeless, or between."""
        return Counter(_state(rate, self._rule) for rate in self._rates.values())


def share_of_turns(rate: float, rule: SelectionRecipe) -> float:
    """Never below the floor, so that no prompt is forgotten."""
    if rule.by == "learnability":
        return max(rule.floor, 4.0 * rate * (1.0 - rate))
    return 1.0 if _state(rate, rule) == "between" else rule.floor


def success_rate(kind: str, scores: Sequence[CompletionScore], recipe: EvalRecipe) -> float | None:
    """Share of correct completions among those whose reward is known."""
    reward = recipe.reward_by_kind.get(kind)
    if reward is None:
        return None
    values = [score.rewards.get(reward) for score in scores]
    known = [value >= recipe.correct_at for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _state(rate: float, rule: SelectionRecipe) -> str:
    if rate >= rule.solved_at:
        return "solved"
    return "hopeless" if rate <= rule.hopeless_at else "between"
