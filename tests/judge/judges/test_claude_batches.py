"""Claude asked in Message Batches: its own SDK against a local server that speaks the wire."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError
from redis.asyncio import Redis

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit_judge.judges.base import Case, Opinion
from plaudit_judge.judges.claude import ClaudeJudge, ClaudeSpec
from plaudit_judge.ledger.prices import Price
from plaudit_judge.limits.breaker import FAILURES_TO_OPEN
from plaudit_judge.rubric_files import load_rubrics

from ..batch_server import BatchServer, batch_server, errored, problem, succeeded, until

pytest.importorskip("anthropic", reason="needs the extra `claude`")

CASE = Case(
    [Message(role="user", content="p")], "answer 0.", "2", None, load_rubrics()["sr_r1"], seed=0
)
PRICE = Price(input_usd_per_mtok=100_000.0, output_usd_per_mtok=1_000_000.0)
Open = Callable[..., ClaudeJudge]


@pytest.fixture
async def server() -> AsyncIterator[BatchServer]:
    async with batch_server() as server:
        yield server


@pytest.fixture
async def opened(server: BatchServer, redis_url: str) -> AsyncIterator[Open]:
    """A judge as a worker opens it; all share one Redis."""
    judges = []

    def opened(url: str = redis_url, **fields: Any) -> ClaudeJudge:
        quick = {"batch_wait_s": 0.05, "batch_poll_s": 0.02, "structured": "off"}
        spec = ClaudeSpec(model="claude-x", base_url=server.url, batch=True, **(quick | fields))
        judges.append(ClaudeJudge("c", spec, SecretStr("sk-secret"), PRICE, Redis.from_url(url)))
        return judges[-1]

    yield opened
    for judge in judges:
        await judge.aclose()


async def ask(judge: ClaudeJudge, number: int = 10, timeout_s: float = 20.0) -> list[Opinion]:
    cases = [replace(CASE, first=f"answer {i}.") for i in range(number)]
    return await asyncio.gather(*(judge.compare(case, timeout_s) for case in cases))


def first_of(params: dict[str, Any]) -> int:
    """The number that was shown first."""
    found = re.search(r"answer (\d+)\.", params["messages"][0]["content"])
    assert found is not None
    return int(found[1])


async def test_calls_that_come_together_are_one_batch_and_each_gets_its_own_result(
    server: BatchServer, opened: Open
) -> None:
    """Results come in another order than they were asked in."""
    server.answer = lambda params: succeeded(f"Winner: response {'AB'[first_of(params) % 2]}")
    opinions = await ask(opened())
    assert [opinion.seat for opinion in opinions] == ["A", "B"] * 5
    assert server.sizes == [10]
    assert opinions[0].reply.prompt_tokens == 20


async def test_a_batch_costs_half(opened: Open) -> None:
    (opinion,) = await ask(opened(), 1)
    assert opinion.reply.cost_usd == pytest.approx(0.5 * (20 * 0.1 + 4 * 1.0))


async def test_a_full_batch_is_sent_at_once(server: BatchServer, opened: Open) -> None:
    await ask(opened(batch_max_requests=5, batch_wait_s=0.2), 11)
    assert server.sizes == [5, 5, 1]


async def test_equal_calls_are_one_request_and_votes_are_several(
    server: BatchServer, opened: Open
) -> None:
    judge = opened()
    votes = [replace(CASE, number=number) for number in (0, 0, 1, 2)]
    await asyncio.gather(*(judge.compare(vote, 20.0) for vote in votes))
    assert server.sizes == [3]


async def test_requests_have_the_wire_format_of_the_messages_api(
    server: BatchServer, opened: Open
) -> None:
    await ask(opened(structured="on"), 1)
    params = server.batches["msgbatch_0"][0]["params"]
    assert set(params) == {"model", "max_tokens", "messages", "system", "output_config"}


FAILURES: list[dict[str, Any]] = [
    errored("api_error"),
    errored("new_error"),
    {"type": "expired"},
    {"type": "canceled"},
    {"type": "succeeded", "message": {"id": 1}},
    {"type": "new"},
    {},
]


async def test_what_failed_is_asked_again_in_another_batch(
    server: BatchServer, opened: Open
) -> None:
    """Each call but the last fails once, each in another way."""
    failures = dict(enumerate(FAILURES))
    server.answer = lambda params: failures.pop(first_of(params), succeeded("Winner: response B"))
    assert [opinion.seat for opinion in await ask(opened(), 8)] == ["B"] * 8
    assert server.sizes[0] == 8
    assert sum(server.sizes) == 15


@pytest.mark.parametrize("kind", ["invalid_request_error", "request_too_large"])
async def test_a_refused_question_is_rejected_and_the_others_stand(
    server: BatchServer, opened: Open, kind: str
) -> None:
    server.answer = lambda params: (
        errored(kind) if first_of(params) == 3 else succeeded("Winner: response A")
    )
    judge = opened()
    cases = [replace(CASE, first=f"answer {i}.") for i in range(5)]
    asked = (judge.compare(case, 20.0) for case in cases)
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, Rejected) for one in found] == [False, False, False, True, False]
    assert server.sizes == [5]


async def test_a_batch_that_is_not_taken_is_sent_again(server: BatchServer, opened: Open) -> None:
    server.refusals = [
        problem(429, "rate_limit_error", retry_after="0"),
        web.Response(text="<html>Bad gateway</html>", status=502),
        web.json_response({"id": 1}),
    ]
    assert [opinion.seat for opinion in await ask(opened(), 3)] == ["A"] * 3
    assert sum(server.sizes) == 3


async def test_a_batch_that_failed_does_not_make_the_next_ones_single_probes(
    server: BatchServer, opened: Open
) -> None:
    """All of its calls failed at once, as many as open the circuit breaker."""
    server.refusals = [problem(500, "api_error")]
    await ask(opened(batch_wait_s=0.3), 2 * FAILURES_TO_OPEN)
    assert server.sizes == [2 * FAILURES_TO_OPEN]


async def test_a_wrong_key_is_the_operators_fault_and_not_in_the_error(
    server: BatchServer, opened: Open
) -> None:
    server.refusals = [problem(401, "authentication_error")]
    with pytest.raises(Unavailable, match=r"\[judge.judges.c\]") as caught:
        await ask(opened(), 1)
    assert "sk-secret" not in f"{caught.value!r} {caught.value}"


async def test_junk_among_the_results_is_left_out(server: BatchServer, opened: Open) -> None:
    server.junk = 'null\n{"custom_id": 3}\n[]\nnonsense\n\n{"custom_id": "x", "result": {}}\n'
    assert [opinion.seat for opinion in await ask(opened(), 3)] == ["A"] * 3
    assert server.sizes == [3]


async def test_a_restarted_worker_finds_its_batch_again(server: BatchServer, opened: Open) -> None:
    """And one that asks for more has those in a batch of their own."""
    server.polls_to_end = 10**6
    first = opened()
    asking = asyncio.create_task(ask(first, 5))
    await until(lambda: server.num_polls.get("msgbatch_0", 0) > 0)
    asking.cancel()
    await first.aclose()
    server.polls_to_end = 1
    assert [opinion.seat for opinion in await ask(opened(), 8)] == ["A"] * 8
    assert server.sizes == [5, 3]


async def test_a_worker_that_is_killed_before_its_verdicts_are_kept_reads_them_again(
    server: BatchServer, opened: Open
) -> None:
    await ask(opened(), 2)
    await ask(opened(), 2)
    assert server.sizes == [2]


async def test_a_batch_that_is_gone_is_asked_again(server: BatchServer, opened: Open) -> None:
    server.polls_to_end = 10**6
    asking = asyncio.create_task(ask(opened(), 2))
    await until(lambda: server.num_polls.get("msgbatch_0", 0) > 0)
    server.polls_to_end = 1
    del server.batches["msgbatch_0"]
    server.batches["deleted"] = []
    assert [opinion.seat for opinion in await asking] == ["A"] * 2


async def test_a_batch_that_takes_too_long_is_canceled(server: BatchServer, opened: Open) -> None:
    server.polls_to_end = 10**6
    with pytest.raises(Unavailable, match="did not answer within"):
        await ask(opened(batch_deadline_s=0.3), 2, timeout_s=0.3)
    await until(lambda: server.canceled == {"msgbatch_0"})


async def test_without_redis_nothing_is_asked_twice_by_mistake(
    server: BatchServer, opened: Open
) -> None:
    with pytest.raises(Unavailable, match="Redis does not say"):
        await ask(opened("redis://127.0.0.1:9"), 1, timeout_s=0.5)
    assert server.sizes == []


def test_keys_of_batches_belong_to_batches() -> None:
    with pytest.raises(ValidationError, match="batch_wait_s has no effect without batch = true"):
        ClaudeSpec(model="m", batch_wait_s=3.0)
    assert ClaudeSpec(model="m").max_concurrency == 64
    assert ClaudeSpec(model="m", batch=True).max_concurrency == 4096
    assert ClaudeSpec(model="m", batch=True, max_concurrency=7).max_concurrency == 7
