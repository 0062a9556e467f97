"""How full the budgets are, on /metrics."""

import time
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from plaudit.service.redis import connect
from plaudit_judge.ledger.budget_metrics import budget_metrics_text, spent_ratios
from plaudit_judge.ledger.costs import Sums, add_call, add_sums
from plaudit_judge.ledger.retention import CostRetention

from .calls import call, settings


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "acme").write_text("the-key-of-acme")
    return {"acme": {"api_key_file": str(tmp_path / "acme"), "budget_usd": 2.0}}


@pytest.fixture
def now_s() -> float:
    return time.time()


async def spend(redis: Redis, run_id: str, usd: float, at_s: float, **fields: Any) -> None:
    sums: Sums = {}
    add_call(sums, call(run_id=run_id, cost_usd=usd, **fields))
    async with redis.pipeline() as pipeline:
        add_sums(pipeline, sums, at_s, CostRetention())
        await pipeline.execute()


async def test_each_budget_shows_its_share(
    redis: Redis, keys: dict[str, Any], now_s: float
) -> None:
    both = settings(run_budget_usd=1.0, budgets={"big": 10.0}, keys=keys)
    await spend(redis, "small", 0.25, now_s)
    await spend(redis, "big", 4.0, now_s)
    await spend(redis, "small", 0.5, now_s, caller="acme")
    assert await spent_ratios(both, redis) == pytest.approx(
        {"run_budget_usd": 0.5, "budgets": 0.4, "keys.acme.budget_usd": 0.25}
    )


async def test_runs_that_are_over_are_not_looked_at(redis: Redis, now_s: float) -> None:
    await spend(redis, "old", 0.9, now_s - 4000)
    await spend(redis, "new", 0.1, now_s)
    assert await spent_ratios(settings(run_budget_usd=1.0), redis) == {"run_budget_usd": 0.1}


async def test_no_runs_id_is_a_label(redis: Redis, now_s: float) -> None:
    await spend(redis, "secret-project", 0.9, now_s)
    text = await budget_metrics_text(settings(budgets={"secret-project": 1.0}), redis)
    assert b'plaudit_judge_budget_spent_ratio{budget="budgets"} 0.9' in text
    assert b"secret-project" not in text


async def test_without_redis_it_answers_without_values() -> None:
    async with connect("redis://127.0.0.1:1") as away:
        text = await budget_metrics_text(settings(run_budget_usd=1.0), away)
    assert b"plaudit_judge_budget_spent_ratio{" not in text
