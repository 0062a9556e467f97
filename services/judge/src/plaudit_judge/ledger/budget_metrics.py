"""How much of each budget is spent, read from Redis when Prometheus asks."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit_judge.ledger import keys
from plaudit_judge.ledger.budgets import budgets_of
from plaudit_judge.ledger.costs import NANO, SPENT
from plaudit_judge.ledger.holds import Budget
from plaudit_judge.settings import JudgeSettings

MAX_SCRAPE_S = 2.0
RECENT_S = 3600
MAX_RECENT_RUNS = 100
"""Runs of one caller that are looked at, those judged for last."""


async def budget_metrics_text(settings: JudgeSettings, redis: Redis) -> bytes:
    """Without values while Redis does not answer."""
    try:
        async with asyncio.timeout(MAX_SCRAPE_S):
            ratios = await spent_ratios(settings, redis)
    except (RedisError, TimeoutError):
        ratios = {}
    registry = CollectorRegistry()
    registry.register(_Shown(ratios))
    return generate_latest(registry)


async def spent_ratios(settings: JudgeSettings, redis: Redis) -> dict[str, float]:
    """By the setting of the budget; that of runs is the one of the fullest recent run."""
    budgets = [
        *(budget for name in settings.keys for budget in budgets_of(settings, None, name)),
        *(await _budgets_of_runs(settings, redis)),
    ]
    async with redis.pipeline(transaction=False) as pipeline:
        for budget in budgets:
            pipeline.hget(budget.costs, SPENT)
        spent: list[bytes | None] = await pipeline.execute() if budgets else []
    ratios: dict[str, float] = {}
    for budget, nano_usd in zip(budgets, spent, strict=True):
        ratio = int(nano_usd or 0) / NANO / budget.usd
        name = _label(budget)
        ratios[name] = max(ratio, ratios.get(name, 0.0))
    return ratios


async def _budgets_of_runs(settings: JudgeSettings, redis: Redis) -> list[Budget]:
    """Of runs that were judged for within RECENT_S."""
    if settings.run_budget_usd is None and not settings.budgets:
        return []
    callers = ["", *settings.keys]
    since_s = time.time() - RECENT_S
    async with redis.pipeline(transaction=False) as pipeline:
        for caller in callers:
            pipeline.zrevrangebyscore(
                keys.cost_runs(caller), "+inf", since_s, start=0, num=MAX_RECENT_RUNS
            )
        found: list[Any] = await pipeline.execute()
    return [
        budget
        for caller, run_ids in zip(callers, found, strict=True)
        for run_id in run_ids
        for budget in budgets_of(settings, run_id.decode(), caller or None)
        if not budget.setting.startswith("keys.")
    ]


def _label(budget: Budget) -> str:
    """Never a run's id: of those there is no end."""
    return "budgets" if budget.setting.startswith("budgets.") else budget.setting


def budget_metrics(ratios: Mapping[str, float]) -> Iterator[Metric]:
    gauge = GaugeMetricFamily(
        "plaudit_judge_budget_spent_ratio",
        "Spent share of each budget; of those of runs, the fullest of the last hour's runs.",
        labels=["budget"],
    )
    for name, ratio in ratios.items():
        gauge.add_metric([name], ratio)
    yield gauge


class _Shown(Collector):
    def __init__(self, ratios: Mapping[str, float]) -> None:
        self._ratios = ratios

    def collect(self) -> Iterator[Metric]:
        return budget_metrics(self._ratios)
