"""What judging costs, added up in Redis: by judge and lane, of each run and of each caller."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from plaudit.schemas.judge_verdict import Cost
from plaudit_judge.ledger import keys
from plaudit_judge.ledger.call import Call
from plaudit_judge.ledger.retention import CostRetention, keep_newest

NANO = 1_000_000_000
SPENT = "nano_usd"
"""The field of the whole; that of a judge in a lane is `JUDGE:LANE:nano_usd`."""
Sums = dict[tuple[str, str | None], Counter[str]]
"""By caller and run: what is to be added to the fields of its totals."""


def nano_usd(usd: float) -> int:
    """Whole billionths of a dollar: a token of the cheapest models is tens of them."""
    return round(usd * NANO)


def add_call(sums: Sums, call: Call) -> None:
    origin, reply = call.origin, call.reply
    sum_ = sums.setdefault((origin.caller or "", origin.run_id), Counter())
    spent = nano_usd(reply.cost_usd)
    amounts = {
        "calls": call.calls,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "cached_tokens": reply.cached_tokens,
        "cache_write_tokens": reply.cache_write_tokens,
        "cache_hits": int(call.cached),
        "unpriced_calls": reply.unpriced_calls,
        SPENT: spent,
    }
    sum_[SPENT] += spent
    for name, amount in amounts.items():
        sum_[f"{call.judge}:{origin.lane}:{name}"] += amount


def merge(sums: Sums, others: Sums) -> None:
    for key, sum_ in others.items():
        sums.setdefault(key, Counter()).update(sum_)


def add_sums(pipeline: Pipeline, sums: Sums, now_s: float, retention: CostRetention) -> None:
    for (caller, run_id), sum_ in sums.items():
        pipeline.sadd(keys.CALLERS, caller)
        _increase(pipeline, keys.caller_costs(caller), sum_)
        if run_id is None:
            continue
        totals, runs = keys.run_costs(caller, run_id), keys.cost_runs(caller)
        _increase(pipeline, totals, sum_)
        pipeline.expire(totals, int(retention.max_age_s))
        pipeline.zadd(runs, {run_id: now_s})
        keep_newest(pipeline, runs, keys.run_costs(caller, ""), retention.max_runs)


def _increase(pipeline: Pipeline, totals: str, sum_: Mapping[str, int]) -> None:
    for name, amount in sum_.items():
        if amount:
            pipeline.hincrby(totals, name, amount)


async def known_callers(redis: Redis) -> list[str]:
    """All that were ever counted, and "", that of plain keys."""
    found: Any = await redis.smembers(keys.CALLERS)
    return sorted({"", *(caller.decode() for caller in found)})


async def read_totals(
    redis: Redis, run_id: str | None, callers: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Of each caller: the fields of its totals, of one run or of all its requests."""
    async with redis.pipeline(transaction=False) as pipeline:
        for caller in callers:
            pipeline.hgetall(
                keys.caller_costs(caller) if run_id is None else keys.run_costs(caller, run_id)
            )
        found = await pipeline.execute()
    return {
        caller: {name.decode(): int(amount) for name, amount in totals.items()}
        for caller, totals in zip(callers, found, strict=True)
    }


def costs_of(caller: str, totals: Mapping[str, int]) -> Iterable[Cost]:
    """A row for each judge and lane."""
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for name, amount in totals.items():
        judge, _, rest = name.partition(":")
        lane, _, counted = rest.partition(":")
        if counted:
            rows.setdefault((judge, lane), {})[counted] = amount
    for (judge, lane), row in sorted(rows.items()):
        spent = row.pop(SPENT, 0)
        yield Cost.model_validate(
            {
                "caller": caller or None,
                "judge": judge,
                "lane": lane,
                "cost_usd": spent / NANO,
                **row,
            }
        )
