"""What a file of answers is sent back for: statistics of the judge, and its calibration."""

from collections.abc import Iterator
from itertools import islice

from pydantic import TypeAdapter

from plaudit.judging.items import Source
from plaudit.judging.results import Results
from plaudit.schemas.judge import PairwiseRequest, PairwiseResponse
from plaudit.schemas.judge_calibrate import (
    MAX_GIVEN_ITEMS,
    CalibrateRequest,
    GoldScore,
    GoldWinner,
    LabelledGrade,
    LabelledVerdict,
)
from plaudit.schemas.judge_scores import PointwiseResponse
from plaudit.schemas.judge_statistics import (
    MAX_STATISTICS_PAIRS,
    JudgedPair,
    JudgedVote,
    StatisticsRequest,
)

GOLD_WINNER: TypeAdapter[GoldWinner] = TypeAdapter(GoldWinner)
GOLD_SCORE: TypeAdapter[GoldScore] = TypeAdapter(GoldScore)


def statistics_request(source: Source, results: Results) -> StatisticsRequest | None:
    """Of the pairs that have an answer, the first 50,000; None without any."""
    pairs = list(_judged_pairs(source, results))
    return StatisticsRequest(pairs=pairs) if pairs else None


def _judged_pairs(source: Source, results: Results) -> Iterator[JudgedPair]:
    first = islice(results.read(), MAX_STATISTICS_PAIRS)
    answers = {result.id: response for result, response in first}
    for item in source.items():
        request, response = item.request, answers.get(item.item_id)
        if isinstance(request, PairwiseRequest) and isinstance(response, PairwiseResponse):
            yield JudgedPair(
                winner=response.winner,
                votes=[JudgedVote.of(vote) for vote in response.votes],
                num_chars_a=len(request.a),
                num_chars_b=len(request.b),
            )


def calibrate_request(results: Results) -> CalibrateRequest | None:
    """Of the answers beside what is right, the first 50,000; None without any."""
    verdicts, grades = [], []
    for result, response in islice(results.read(), MAX_GIVEN_ITEMS):
        if isinstance(response, PairwiseResponse):
            gold = GOLD_WINNER.validate_python(result.gold)
            votes = [JudgedVote.of(vote) for vote in response.votes]
            verdicts.append(LabelledVerdict(gold=gold, winner=response.winner, votes=votes))
        elif isinstance(response, PointwiseResponse):
            score = GOLD_SCORE.validate_python(result.gold)
            grades.append(LabelledGrade(gold=score, score=response.score))
    return CalibrateRequest(verdicts=verdicts, grades=grades) if verdicts or grades else None
