"""A judge against labels: what it says of each item, beside what is right."""

import asyncio
from collections.abc import Sequence
from functools import partial

from plaudit.errors import Rejected
from plaudit.schemas.judge import PairwiseResponse, Usage
from plaudit.schemas.judge_calibrate import (
    MAX_SCORE,
    CalibrateRequest,
    CalibrateResponse,
    LabelledGrade,
    LabelledPair,
    LabelledResponse,
    LabelledVerdict,
)
from plaudit.schemas.judge_scores import PointwiseRequest, PointwiseResponse
from plaudit.schemas.judge_statistics import JudgedVote
from plaudit.telemetry import get_logger
from plaudit_judge.pairwise import Bench, add_usage, try_pair
from plaudit_judge.pointwise import score_response
from plaudit_judge.questions import pair_questions, score_questions
from plaudit_judge.statistics.agreement import compare_scores, compare_winners
from plaudit_judge.together import together

log = get_logger(__name__)


async def calibrate(bench: Bench, request: CalibrateRequest) -> CalibrateResponse:
    """Asks about every item. Raises Unavailable: one was not answered in time.

    An item that the judge can never judge (longer than its context) counts as unparsed.
    """
    limit = bench.calls.max_concurrency
    pairs = await together((partial(try_pair, bench, q) for q in pair_questions(request)), limit)
    scores = await together((partial(_score, bench, q) for q in score_questions(request)), limit)
    verdicts = list(map(_verdict, request.pairs, pairs))
    grades = list(map(_grade, request.responses, scores))
    found = await asyncio.to_thread(measure, verdicts, grades, request.seed)
    usage = add_usage([*(answer.usage for answer in pairs), *(answer.usage for answer in scores)])
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


def _verdict(pair: LabelledPair, answer: PairwiseResponse) -> LabelledVerdict:
    votes = [JudgedVote.of(vote) for vote in answer.votes]
    return LabelledVerdict(gold=pair.gold, winner=answer.winner, votes=votes)


def _grade(one: LabelledResponse, answer: PointwiseResponse) -> LabelledGrade:
    """A reward may be anything, also no number: such a one is unparsed."""
    is_score = answer.score is not None and abs(answer.score) <= MAX_SCORE
    return LabelledGrade(gold=one.gold, score=answer.score if is_score else None)


async def _score(bench: Bench, question: PointwiseRequest) -> PointwiseResponse:
    try:
        return await score_response(bench, question)
    except Rejected as error:
        log.warning("grade_failed", judge=bench.judge.name, reason=error.message)
        return PointwiseResponse(
            score=None, fraction=None, reason=error.message, votes=[], usage=Usage()
        )
