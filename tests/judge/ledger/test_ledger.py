"""The ledger is written behind the judging: in few round trips, and never in its way."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from plaudit.testing import redis_process
from plaudit_judge.ledger import keys
from plaudit_judge.ledger import ledger as module
from plaudit_judge.ledger.costs import NANO, read_totals
from plaudit_judge.ledger.finding import Question, find_page
from plaudit_judge.ledger.holds import Budget, Hold, read_nano_usd, take
from plaudit_judge.ledger.ledger import Ledger
from plaudit_judge.ledger.taking import Taken

from .calls import call, settings


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"plaudit_judge_{name}_total", labels) or 0.0


async def stored(redis: Redis, run_id: str = "r") -> list[str]:
    page = await find_page(redis, Question(run_id, ["", "acme"]), None, 500)
    return [verdict.reply for verdict in page.verdicts]


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not await holds():
            await asyncio.sleep(0.01)


async def test_the_votes_of_a_tournament_take_one_round_trip(redis: Redis) -> None:
    await redis.config_resetstat()
    async with Ledger(settings(), redis) as ledger:
        for number in range(56):
            ledger.record(Taken(call(str(number))))
    assert len(await stored(redis)) == 56
    assert (await redis.info("commandstats"))["cmdstat_exec"]["calls"] == 1


async def test_costs_are_added_up_by_judge_and_lane_of_the_run_and_of_the_key(
    redis: Redis,
) -> None:
    before = metric("cost_usd", judge="local", lane="eval")
    async with Ledger(settings(), redis) as ledger:
        ledger.record(Taken(call(caller="acme")))
        ledger.record(Taken(call(caller="acme", lane="eval", calls=2)))
        ledger.record(Taken(call(caller="acme", run_id="other", cached=True, cost_usd=0.0)))
        ledger.record(Taken(call(run_id=None, cost_usd=1e-9)))
    run = (await read_totals(redis, "r", ["acme"]))["acme"]
    assert run["nano_usd"] == 0.5 * NANO
    assert (run["local:train:calls"], run["local:eval:calls"]) == (1, 2)
    assert (run["local:eval:prompt_tokens"], run["local:eval:nano_usd"]) == (20, 0.25 * NANO)
    everything = await read_totals(redis, None, ["acme", ""])
    assert everything["acme"]["local:train:calls"] == 2
    assert everything["acme"]["local:train:cache_hits"] == 1
    assert everything[""]["nano_usd"] == 1
    assert metric("cost_usd", judge="local", lane="eval") == before + 0.25


async def test_of_a_jury_all_are_stored_and_the_whole_is_paid(redis: Redis) -> None:
    parts = [call("one", member_of="panel"), call("two", member_of="panel", cost_usd=0.05)]
    async with Ledger(settings(), redis) as ledger:
        ledger.record(Taken(call("all", cost_usd=0.3), parts))
    assert await stored(redis) == ["one", "two", "all"]
    assert (await read_totals(redis, "r", [""]))[""]["nano_usd"] == 0.3 * NANO


async def test_storing_can_be_turned_off_and_costs_are_counted_all_the_same(redis: Redis) -> None:
    async with Ledger(settings(verdicts={"enabled": False}), redis) as ledger:
        ledger.record(Taken(call()))
    assert await stored(redis) == []
    assert (await read_totals(redis, "r", [""]))[""]["nano_usd"] == 0.25 * NANO


async def test_the_costs_of_the_newest_runs_are_kept(redis: Redis) -> None:
    for run_id in ("1", "2", "3"):
        async with Ledger(settings(costs={"max_runs": 2, "max_age_s": 100}), redis) as ledger:
            ledger.record(Taken(call(run_id=run_id)))
    runs = [(await read_totals(redis, run_id, [""]))[""] for run_id in ("1", "2", "3", None)]
    assert [run.get("nano_usd", 0) / NANO for run in runs] == [0, 0.25, 0.25, 0.75]
    assert [await redis.ttl(key) for key in await redis.keys("*run-costs*")] == [100, 100]


async def test_a_hold_ends_together_with_the_payment(redis: Redis) -> None:
    budget = Budget("run_budget_usd", 1.0, "plaudit:judge:ledger:run-costs::r")
    hold = Hold("1", NANO, [budget], 100)
    assert await take(redis, hold) is None
    async with Ledger(settings(), redis) as ledger:
        ledger.record(Taken(call()))
        ledger.let_go(hold)
    assert await read_nano_usd(redis, budget) == (0.25 * NANO, 0)


async def test_without_redis_verdicts_are_dropped_and_counted_and_costs_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PAUSE_S", 0.02)
    before = metric("unstored_verdicts", judge="local")

    async def dropped() -> bool:
        return metric("unstored_verdicts", judge="local") == before + 3

    async def paid() -> bool:
        return bool((await read_totals(redis, "r", [""]))[""])

    with redis_process() as server, capture_logs() as logs:
        redis = Redis.from_url(server.url, retry=Retry(NoBackoff(), 0))
        server.kill()
        async with redis, Ledger(settings(), redis) as ledger:
            for _ in range(3):
                started_s = time.perf_counter()
                ledger.record(Taken(call()))
                assert time.perf_counter() - started_s < 0.05
                await asyncio.sleep(0.1)
            await until(dropped)
            server.start()
            await until(paid)
            ledger.record(Taken(call("after")))
        async with Redis.from_url(server.url) as redis:
            assert await stored(redis) == ["after"]
            assert (await read_totals(redis, "r", [""]))[""]["nano_usd"] == NANO
    assert [line["event"] for line in logs] == ["ledger_not_written"]


async def test_more_than_can_wait_is_dropped_and_counted(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 300)
    before = metric("unstored_verdicts", judge="local")
    async with Ledger(settings(), redis) as ledger:
        for _ in range(305):
            ledger.record(Taken(call()))
        assert metric("unstored_verdicts", judge="local") == before + 5
    assert await redis.xlen(keys.verdicts("", "r")) == 300
    assert (await read_totals(redis, "r", [""]))[""]["local:train:calls"] == 305
