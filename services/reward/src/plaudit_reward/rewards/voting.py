"""Voting: what most of the group answer is taken for right."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.final_answer import final_answer, is_maths, is_number
from plaudit_reward.reward import Context, Missing, Score, Vector, reward


class VotingParams(Contract):
    equality: Literal["math", "text"] = "math"
    """When two answers are one. math: by Math-Verify, those without digits or LaTeX by their
    text; text: by their text alone."""
    tie: Literal["first", "none", "random"] = "first"
    """Which of the answers with most votes counts: the one given first, none (null for the
    group), or one drawn by `seed` and the group's id."""
    seed: int = 0
    """For `tie` random: the same group always gets the same draw."""


_NONE, _TEXT = {"tie": "none"}, {"equality": "text"}
_HALVES = ["2", r"\boxed{\frac{1}{2}}", r"so $\frac{2}{4}$.", "It is 0.5", "<answer>1/2</answer>"]


@reward(
    source="TTRL, arXiv 2504.16084, after self-consistency, arXiv 2203.11171",
    vectors=[
        Vector(["4", "5", "It is 4.", "no idea", ""], [1, 0, 1, 0, 0]),
        Vector(_HALVES, [0, 1, 1, 1, 1]),
        Vector(_HALVES, [1, 0, 0, 0, 0], params=_TEXT),
        Vector(["<answer>Paris</answer>", "<answer> Rome</answer>", r"\boxed{paris}"], [1, 0, 1]),
        Vector(["5", "4"], [1, 0]),
        Vector(["5", "4"], [None, None], params=_NONE),
        Vector(["5", "4", "4.0"], [0, 1, 1], params=_NONE),
        Vector(["", "no idea"], [None, None]),
        Vector(["4"], [None]),
    ],
)
async def voting(group: RewardGroup, params: VotingParams, context: Context) -> list[Score]:
    r"""1.0 if the answer equals the one that most completions of the group give, else 0.0; no
    reference is needed. An answer is the last \boxed{}, else <answer>, formula or number; a
    completion without one has no vote and gets 0.0.

    Votes of equal answers are one answer's; those that cannot be compared stand for themselves.
    Null: for the group when nobody answers, when it is one completion alone, or for a tie with
    `tie` none; for an answer that cannot be compared with the majority's.
    """
    answers = [final_answer(completion.text) for completion in group.completions]
    majority = await _majority(group.group_id, answers, params, context)
    if isinstance(majority, Missing):
        return [majority] * len(answers)
    distinct = [answer for answer in dict.fromkeys(answers) if answer is not None]
    compared = await _compare(majority, distinct, params, context)
    verdicts: dict[str | None, Score] = {None: 0.0}
    verdicts |= zip(distinct, (_explained(one, majority) for one in compared), strict=True)
    return [verdicts[answer] for answer in answers]


def _explained(verdict: Score, majority: str) -> Score:
    if not isinstance(verdict, Missing):
        return verdict
    reason = f"not compared with the majority's {majority[:80]!r}: {verdict.reason}"
    return Missing(reason, verdict.retryable)


async def _majority(
    group_id: str, answers: Sequence[str | None], params: VotingParams, context: Context
) -> str | Missing:
    votes = Counter(answer for answer in answers if answer is not None)
    if len(answers) < 2:
        return Missing("one completion alone has no majority")
    if not votes:
        return Missing("no completion of the group has an answer")
    candidates = await _candidates(votes, params, context)
    if isinstance(candidates, Missing):
        return candidates
    most = max(candidates.values())
    tied = [answer for answer in votes if candidates.get(answer) == most]
    if len(tied) == 1 or params.tie == "first":
        return tied[0]
    if params.tie == "none":
        return Missing(f"{len(tied)} answers have the most votes, {most} each")
    return random.Random(f"{params.seed} {group_id}").choice(tied)


async def _candidates(
    votes: Counter[str], params: VotingParams, context: Context
) -> dict[str, int] | Missing:
    """Votes of each answer with those of its equals, as far as it may still win.

    The answer that stands for its equals is the one given first.
    """
    left, candidates = list(votes), dict[str, int]()
    while left and sum(votes[one] for one in left) >= max(candidates.values(), default=0):
        candidate = max(left, key=lambda one: votes[one])
        verdicts = await _compare(candidate, left, params, context)
        for verdict in verdicts:
            if isinstance(verdict, Missing) and verdict.retryable:
                return verdict
        equal = [one for one, verdict in zip(left, verdicts, strict=True) if verdict == 1.0]
        candidates[equal[0]] = sum(votes[one] for one in equal)
        left = [one for one in left if one not in equal]
    return candidates


async def _compare(
    answer: str, others: Sequence[str], params: VotingParams, context: Context
) -> list[Score]:
    verdicts: dict[str, Score] = {other: float(other == answer) for other in others}
    if params.equality == "math" and is_maths(answer):
        asked = [other for other in others if other != answer and is_maths(other)]
        boxed = [rf"\boxed{{{other}}}" for other in asked]
        verdicts |= zip(asked, await context.verify(_gold(answer), boxed, "any"), strict=True)
    return list(verdicts.values())


def _gold(answer: str) -> str:
    """A plain number stays one, which Math-Verify need not be asked about."""
    return answer if is_number(answer) else rf"\boxed{{{answer}}}"
