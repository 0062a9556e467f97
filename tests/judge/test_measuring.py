"""What the API works out itself. Nothing needs a worker."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from plaudit.client import ClientOptions, JudgeClient
from plaudit.errors import Rejected
from plaudit.schemas.common import Contract
from plaudit.schemas.judge_calibrate import CalibrateRequest, LabelledVerdict
from plaudit.schemas.judge_statistics import (
    MAX_STATISTICS_PAIRS,
    JudgedPair,
    StatisticsRequest,
    StatisticsResponse,
)
from plaudit.service.redis import connect
from plaudit.testing import running
from plaudit_judge.app import make_app
from plaudit_judge.ledger.batch import Batch, write
from plaudit_judge.settings import JudgeSettings

from .ledger.calls import call, settings


@pytest.fixture(scope="module")
def url(own_redis: str) -> Iterator[str]:
    with running(make_app(JudgeSettings(port=0, redis_url=own_redis))) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[JudgeClient]:
    async with JudgeClient(url, ClientOptions(max_attempts=1)) as client:
        yield client


async def test_statistics_answer(client: JudgeClient) -> None:
    pairs = [JudgedPair(winner="a"), JudgedPair(winner=None), JudgedPair(winner="tie")]
    found = await client.statistics(StatisticsRequest(pairs=pairs))
    assert (found.num_pairs, found.win_rate.value) == (3, 0.75)
    assert found.flip_rate is None


def test_as_many_pairs_as_are_allowed_fit_into_a_request() -> None:
    votes = [{"winner": "tie", "swapped": False}, {"winner": "tie", "swapped": True}]
    lengths = {"num_chars_a": 100_000, "num_chars_b": 100_000}
    correct = {"correct_a": False, "correct_b": False}
    pair = JudgedPair.model_validate({"winner": "tie", "votes": votes, **lengths, **correct})
    num_bytes = len(pair.model_dump_json()) + 1
    assert MAX_STATISTICS_PAIRS * num_bytes < JudgeSettings().max_body_bytes


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"pairs": []}, "at least 1"),
        ({"pairs": [{"winner": "c"}]}, "pairs"),
        ({"pairs": [{"winner": "a", "num_chars_a": -1}]}, "num_chars_a"),
    ],
)
async def test_wrong_pairs_are_422(client: JudgeClient, body: dict[str, Any], said: str) -> None:
    with pytest.raises(Rejected, match=said):
        await client.post("/v1/statistics", Raw.model_validate(body), StatisticsResponse)


def test_more_pairs_than_are_allowed_are_refused() -> None:
    pairs = [JudgedPair(winner="a")] * (MAX_STATISTICS_PAIRS + 1)
    with pytest.raises(ValidationError, match="at most 50000 items"):
        StatisticsRequest(pairs=pairs)


class Raw(Contract):
    pairs: list[dict[str, Any]]


async def test_stored_verdicts_have_statistics(client: JudgeClient, own_redis: str) -> None:
    """Of one run and one judge; which answer was called a is not stored."""
    calls = [
        call(answers=["1", "22"], winner="first", run_id="stats"),
        call(answers=["22", "1"], winner="first", run_id="stats"),
        call(answers=["1", "22"], winner="second", run_id="stats", judge="rule"),
        call(answers=["5", "6"], winner=None, run_id="stats", lane="eval"),
    ]
    async with connect(own_redis) as redis:
        await write(redis, settings(), Batch(calls=calls))
    found = await client.stored_statistics("local", "stats")
    assert (found.num_pairs, found.num_votes) == (2, 3)
    assert found.flip_rate.value == found.first_position_rate.value == 1.0
    assert (found.win_rate, found.length_controlled_win_rate) == (None, None)
    assert (await client.stored_statistics("local", "stats", lane="train")).num_pairs == 1
    assert (await client.stored_statistics("local")).num_pairs == 0


async def test_more_stored_verdicts_than_a_page_has_are_all_read(
    client: JudgeClient, own_redis: str
) -> None:
    calls = [call(answers=[f"{n}", "x"], run_id="many") for n in range(450)]
    async with connect(own_redis) as redis:
        await write(redis, settings(), Batch(calls=calls))
    assert (await client.stored_statistics("local", "many")).num_pairs == 450


async def test_given_verdicts_are_compared_without_a_worker(client: JudgeClient) -> None:
    verdicts = [
        LabelledVerdict(gold="a", winner="a"),
        LabelledVerdict(gold=["b", "b", "tie"], winner="a"),
        LabelledVerdict(gold="b", winner=None),
    ]
    found = await client.calibrate(CalibrateRequest(verdicts=verdicts))
    assert (found.num_items, found.unparsed) == (3, 1)
    assert (found.winners.accuracy.value, found.winners.accuracy.num_items) == (0.5, 2)
    assert (found.rubric, found.usage.calls) == (None, 0)


async def test_given_grades_are_compared_without_a_worker(client: JudgeClient) -> None:
    grades = [{"gold": gold, "score": gold * 2.0} for gold in (1, 2, 4)]
    found = await client.calibrate(CalibrateRequest.model_validate({"grades": grades}))
    assert found.scores.pearson.value == pytest.approx(1.0)
    assert found.winners is None


async def test_given_verdicts_are_no_job(client: JudgeClient) -> None:
    request = CalibrateRequest(verdicts=[LabelledVerdict(gold="a", winner="a")])
    with pytest.raises(Rejected, match="nobody is asked"):
        await client.submit_job("calibrate", request)


async def test_an_item_that_cannot_be_asked_about_is_named(client: JudgeClient) -> None:
    pair = {"prompt": [{"role": "user", "content": "?"}], "a": "1", "b": "2", "gold": "a"}
    request = CalibrateRequest.model_validate({"pairs": [pair, pair | {"prompt": []}]})
    with pytest.raises(Rejected, match="item 1: prompt: has no messages"):
        await client.calibrate(request)
