"""Budgets of the service as it runs: they stop, with a clear error, and never in the middle."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from plaudit.errors import BudgetExceeded, QueueFull, Rejected
from plaudit.schemas.judge import TournamentRequest
from plaudit_judge.ledger import keys
from plaudit_judge.ledger.costs import NANO, SPENT

from ..conftest import ChatServer, completion, error
from .service import CALL_USD, PROMPT, named, pair, serving, settled, spent

ESTIMATE_USD = 2 * (1002 * 0.01 + 12 * 0.05)
"""Of a pair in both orders: the rubric `demo` has max_tokens = 12."""


def group(**fields: Any) -> TournamentRequest:
    responses = ["1", "2", "3"]
    return TournamentRequest(
        prompt=PROMPT, responses=responses, rubric="demo", judge="local", run_id="r", **fields
    )


async def test_a_spent_budget_stops_its_run_and_no_other(redis_url: str, chat: ChatServer) -> None:
    async with serving(redis_url, chat) as service, service.client() as client:
        await client.tournament(group())
        await spent(client, "r", 3 * CALL_USD)
    low: dict[str, Any] = {"run_budget_usd": 1.0, "budgets": {"rich": 100.0}}
    async with serving(redis_url, chat, **low) as service, service.client() as client:
        with pytest.raises(BudgetExceeded, match=r"run_budget_usd = 1, spent 1\.2, held"):
            await client.pairwise(pair())
        for free in (pair(run_id="rich"), pair(run_id=None), pair("rule")):
            assert (await client.pairwise(free)).winner is not None
        async with httpx.AsyncClient(base_url=service.url) as http:
            refused = await http.post("/v1/pairwise", json=pair().model_dump(mode="json"))
    assert refused.status_code == 402
    assert refused.json()["type"] == "urn:plaudit:problem:budget-exceeded"
    assert refused.json()["retryable"] is False


async def test_a_tournament_that_was_admitted_has_its_result_though_it_costs_more_than_thought(
    redis_url: str, chat: ChatServer
) -> None:
    """The endpoint says that it read a million tokens for each comparison."""
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 1, "total_tokens": 1_000_001}
    chat.behave = lambda body: completion("Winner: response A", usage=usage)
    async with (
        serving(redis_url, chat, run_budget_usd=100.0) as service,
        service.client() as client,
    ):
        response = await client.tournament(group())
        await spent(client, "r", 30_000.0)
        [state] = (await settled(client, "r")).budgets
        with pytest.raises(BudgetExceeded, match="spent 30000"):
            await client.pairwise(pair())
    assert response.usage.calls == 3
    assert None not in response.rewards
    assert (state.setting, state.budget_usd) == ("run_budget_usd", 100.0)


async def test_many_at_once_do_not_overshoot(redis_url: str, chat: ChatServer) -> None:
    """Nothing is judged, and so nothing is paid, before all have asked."""
    async with (
        serving(redis_url, chat, workers=False, run_budget_usd=5.5 * ESTIMATE_USD) as service,
        service.client() as client,
    ):
        asked = (client.submit_job("pairwise", pair(a=str(number))) for number in range(3, 103))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == 95
        service.start_worker("local")
        await spent(client, "r", 10 * CALL_USD)
        report = await settled(client, "r")
    assert report.cost_usd == pytest.approx(10 * CALL_USD)


async def test_what_fails_or_finds_the_queue_full_is_held_no_more(
    redis_url: str, chat: ChatServer
) -> None:
    chat.behave = lambda body: error(400, "too long")
    limits: dict[str, Any] = {"run_budget_usd": 100.0, "max_queued": 1}
    async with (
        serving(redis_url, chat, workers=False, **limits) as service,
        service.client() as client,
    ):
        job = await client.submit_job("pairwise", pair())
        with pytest.raises(QueueFull):
            await client.pairwise(pair(a="7"))
        assert (await client.costs("r")).budgets[0].held_usd == pytest.approx(ESTIMATE_USD)
        service.start_worker("local")
        assert (await client.job(job.job_id, wait_s=10.0)).status == "failed"
        await settled(client, "r")


async def test_a_named_key_has_its_budget_over_all_its_runs(
    redis_url: str, chat: ChatServer, tmp_path: Path
) -> None:
    limits = named(tmp_path, acme={"budget_usd": ESTIMATE_USD + CALL_USD}, zeta={})
    async with serving(redis_url, chat, **limits) as service:
        async with service.client("the-key-of-acme") as acme:
            await acme.pairwise(pair(run_id="1"))
            await spent(acme, None, 2 * CALL_USD)
            with pytest.raises(BudgetExceeded, match=r"keys\.acme\.budget_usd"):
                await acme.pairwise(pair(run_id="2"))
            job = await acme.submit_job("pairwise", pair("rule"))
            assert (await acme.job(job.job_id, wait_s=10.0)).status == "done"
            with pytest.raises(BudgetExceeded):
                await acme.submit_job("pairwise", pair(run_id="3"))
        async with service.client("the-key-of-zeta") as zeta:
            await zeta.pairwise(pair(run_id="1"))


async def test_a_result_that_is_there_is_handed_out_though_the_budget_is_spent(
    redis_url: str, chat: ChatServer
) -> None:
    budget = ESTIMATE_USD + CALL_USD
    async with (
        serving(redis_url, chat, run_budget_usd=budget) as service,
        service.client() as client,
    ):
        first = await client.pairwise(pair(), idempotency_key="k")
        await spent(client, "r", 2 * CALL_USD)
        with pytest.raises(BudgetExceeded):
            await client.pairwise(pair(), idempotency_key="other")
        assert await client.pairwise(pair(), idempotency_key="k") == first


async def test_a_request_that_is_no_longer_held_is_refused_by_the_worker_and_may_come_again(
    redis_url: str, chat: ChatServer, redis: Redis
) -> None:
    """It waited for an hour; meanwhile others spent the money, and then the budget was raised."""
    costs = keys.run_costs("", "r")
    async with (
        serving(redis_url, chat, workers=False, run_budget_usd=100.0) as service,
        service.client() as client,
    ):
        await client.submit_job("pairwise", pair(), idempotency_key="k")
        await redis.delete(keys.holds(costs), keys.held(costs))
        await redis.hset(costs, SPENT, 99 * NANO)
        service.start_worker("local")
        with pytest.raises(BudgetExceeded, match="spent 99"):
            await client.pairwise(pair(), idempotency_key="k")
        await redis.hset(costs, SPENT, 0)
        assert (await client.pairwise(pair(), idempotency_key="k")).winner == "a"
    assert len(chat.asked) == 2


async def test_a_judge_without_a_price_is_refused_under_a_budget(
    redis_url: str, chat: ChatServer
) -> None:
    unpriced: dict[str, Any] = {"prices": {}, "run_budget_usd": 1.0}
    async with serving(redis_url, chat, **unpriced) as service, service.client() as client:
        for judge in ("local", "panel"):
            with pytest.raises(Rejected, match="'policy-model' of 'local' has no price") as caught:
                await client.pairwise(pair(judge))
            assert caught.value.status == 422
        assert (await client.pairwise(pair("rule"))).winner == "tie"
