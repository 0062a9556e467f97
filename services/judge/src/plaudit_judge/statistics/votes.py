"""What single votes say of the judge: order and silence."""

from collections.abc import Sequence

from plaudit.schemas.judge_statistics import Estimate, JudgedVote
from plaudit_judge.pairwise import majority
from plaudit_judge.statistics.rates import share, share_of_votes

Votes = Sequence[JudgedVote]
"""Of one pair."""


def unparsed_rate(pairs: Sequence[Votes]) -> Estimate | None:
    return share_of_votes([vote.winner is None for vote in votes] for votes in pairs)


def first_position_rate(pairs: Sequence[Votes]) -> Estimate | None:
    """Of the votes that are no tie, those won by the answer shown first."""
    return share_of_votes(
        [(vote.winner == "b") == vote.swapped for vote in votes if vote.winner in ("a", "b")]
        for votes in pairs
    )


def flip_rate(pairs: Sequence[Votes]) -> Estimate | None:
    """Of the pairs with a verdict in each order, those whose orders disagree (also on a tie)."""
    by_order = (
        [majority(v.winner for v in votes if v.swapped == order) for order in (False, True)]
        for votes in pairs
    )
    return share([first != second for first, second in by_order if first and second])
