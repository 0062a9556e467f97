"""A judge against labels: what it says of each item, beside what is right."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from plaudit.schemas.judge import PairwiseRequest, PairwiseResponse, Usage
from plaudit.schemas.judge_calibrate import (
    CalibrateRequest,
    CalibrateResponse,
    LabelledGrade,
    LabelledPair,
    LabelledVerdict,
)
from plaudit.schemas.judge_statistics import JudgedVote
from plaudit_judge.pairwise import Bench, add_usage, try_pair
from plaudit_judge.statistics.agreement import compare_scores, compare_winners
from plaudit_judge.together import together

_PASSED_ON = ("judge", "lane", "run_id", "votes", "cache", "seed")


def questions_of(request: CalibrateRequest) -> list[PairwiseRequest]:
    """What the judge is asked about each item; nothing when its answers are in the request."""
    rules: dict[str, Any] = {name: getattr(request, name) for name in _PASSED_ON}
    if request.rubric is not None:
        rules["rubric"] = request.rubric
    return [
        PairwiseRequest(
            prompt=pair.prompt,
            a=pair.a,
            b=pair.b,
            reference=pair.reference,
            swap=request.swap,
            **rules,
        )
        for pair in request.pairs
    ]


async def calibrate(bench: Bench, request: CalibrateRequest) -> CalibrateResponse:
    """Raises Unavailable: an item was not answered in time.

    An item that the judge can never judge (longer than its context) counts as unparsed.
    """
    questions = questions_of(request)
    answers = await together(
        (partial(try_pair, bench, question) for question in questions),
        bench.calls.max_concurrency,
    )
    verdicts = [_label(pair, answer) for pair, answer in zip(request.pairs, answers, strict=True)]
    found = await asyncio.to_thread(measure, verdicts, [], request.seed)
    usage = add_usage(answer.usage for answer in answers)
    return found.model_copy(update={"rubric": bench.stamp(), "usage": usage})


def measure(
    verdicts: Sequence[LabelledVerdict], grades: Sequence[LabelledGrade], seed: int
) -> CalibrateResponse:
    """One of the two is empty."""
    answers = [one.winner for one in verdicts] + [one.score for one in grades]
    return CalibrateResponse(
        num_items=len(answers),
        unparsed=answers.count(None),
        winners=compare_winners(verdicts, seed) if verdicts else None,
        scores=compare_scores(grades, seed) if grades else None,
        usage=Usage(),
    )


def _label(pair: LabelledPair, answer: PairwiseResponse) -> LabelledVerdict:
    votes = [JudgedVote(winner=vote.winner, swapped=vote.swapped) for vote in answer.votes]
    return LabelledVerdict(gold=pair.gold, winner=answer.winner, votes=votes)
