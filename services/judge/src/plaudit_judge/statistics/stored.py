"""Pairs put together from stored verdicts, each of which is one call about two answers."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from plaudit.schemas.judge import Winner
from plaudit.schemas.judge_statistics import JudgedPair, JudgedVote
from plaudit.schemas.judge_verdict import StoredVerdict
from plaudit_judge.pairwise import decide

_MAX_VOTES = 64
"""Of one pair; it was asked about in several requests when there are more."""


class Seen(NamedTuple):
    """What statistics need of a verdict. a is the answer whose hash comes first."""

    question: tuple[str, ...]
    num_chars_a: int
    num_chars_b: int
    vote: JudgedVote

    @classmethod
    def of(cls, verdict: StoredVerdict) -> Self | None:
        """None for a score, and for a verdict that was remembered: it is there already."""
        if verdict.scores is not None or verdict.cached or len(verdict.answers_sha256) != 2:
            return None
        swapped = verdict.answers_sha256[0] > verdict.answers_sha256[1]
        order = (1, 0) if swapped else (0, 1)
        hash_a, hash_b = (verdict.answers_sha256[place] for place in order)
        num_chars_a, num_chars_b = (verdict.answers_num_chars[place] for place in order)
        rubric = verdict.rubric.sha256 if verdict.rubric else ""
        reference = verdict.reference_sha256 or ""
        question = (verdict.prompt_sha256, hash_a, hash_b, reference, rubric)
        return cls(question, num_chars_a, num_chars_b, _vote(verdict, swapped))


def _vote(verdict: StoredVerdict, swapped: bool) -> JudgedVote:
    winners: dict[str | None, Winner] = {
        "first": "b" if swapped else "a",
        "second": "a" if swapped else "b",
        "tie": "tie",
    }
    return JudgedVote(winner=winners.get(verdict.winner), swapped=swapped)


def pairs_of(verdicts: Iterable[Seen]) -> list[JudgedPair]:
    """Verdicts on the same question are votes on one pair."""
    by_question: dict[tuple[str, ...], list[Seen]] = {}
    for seen in verdicts:
        by_question.setdefault(seen.question, []).append(seen)
    return [_pair(seen[:_MAX_VOTES]) for seen in by_question.values()]


def _pair(seen: list[Seen]) -> JudgedPair:
    votes = [one.vote for one in seen]
    by_order = [[vote.winner for vote in votes if vote.swapped == order] for order in (False, True)]
    return JudgedPair(
        winner=decide(by_order),
        votes=votes,
        num_chars_a=seen[0].num_chars_a,
        num_chars_b=seen[0].num_chars_b,
    )
