"""What pointwise and listwise judging share: who can score, the calls, and their mean."""

from collections.abc import Iterable, Sequence
from functools import partial
from statistics import fmean

from plaudit.errors import Rejected
from plaudit.schemas.judge import Usage
from plaudit_judge.judges.base import ScoreCase, Scores
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.pairwise import Bench, usage_of
from plaudit_judge.settings import JudgeSettings
from plaudit_judge.together import together


def check_gives_scores(settings: JudgeSettings, name: str) -> None:
    """Raises Rejected: such a judge only compares."""
    if _gives_scores(settings, name):
        return
    able = sorted(judge for judge in settings.judges if _gives_scores(settings, judge))
    raise Rejected(
        f"judge: {name!r} gives no scores; those that do: {', '.join(able)}.",
        fix="Name one of them, or ask POST /v1/pairwise or /v1/tournament.",
    )


def _gives_scores(settings: JudgeSettings, name: str) -> bool:
    """A jury needs as many members that score by a rubric as its quorum is."""
    spec = settings.judges[name]
    if isinstance(spec, JurySpec):
        able = sum(settings.judges[member].reads_rubric for member in spec.judges)
        return able >= spec.needed()
    return not spec.only_compares


async def ask_votes(bench: Bench, cases: Sequence[ScoreCase], *, use_cache: bool) -> list[Scores]:
    """One call each. Raises Rejected (it can never be judged) and Unavailable (not in time)."""
    polls = (
        partial(bench.calls.grade, case, bench.origin, bench.time_left_s, use_cache=use_cache)
        for case in cases
    )
    return await together(polls, bench.calls.max_concurrency)


def num_votes(bench: Bench, asked: int) -> int:
    """A judge that depends neither on order nor on chance is asked once."""
    return 1 if bench.judge.is_symmetric else asked


def usage_of_scores(scores: Scores) -> Usage:
    """`unparsed` counts the answers that got no score."""
    return usage_of(scores, unparsed=sum(grade.score is None for grade in scores.grades))


def mean_of_parsed(values: Iterable[float | None]) -> float | None:
    """None without one; a missing score is never 0."""
    parsed = [value for value in values if value is not None]
    return fmean(parsed) if parsed else None


def policy_version_of(votes: Iterable[Scores]) -> int | None:
    """None also when another version was served in between."""
    versions = {vote.reply.policy_version for vote in votes}
    return versions.pop() if len(versions) == 1 else None
