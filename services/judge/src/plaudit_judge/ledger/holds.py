"""Holds: what was admitted under a budget counts against it until it is finished and paid."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from plaudit_judge.ledger import keys
from plaudit_judge.ledger.costs import SPENT, nano_usd

_TAKE = """
local time = tonumber(redis.call('TIME')[1])
local member, amount, hold_s = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local function number(text) return tonumber(text or '0') end
for i = 1, #KEYS, 3 do
    local costs, holds, held = KEYS[i], KEYS[i + 1], KEYS[i + 2]
    for _, ended in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', time, 'LIMIT', 0, 1000)) do
        redis.call('ZREM', holds, ended)
        redis.call('DECRBY', held, string.match(ended, '^%d+'))
    end
    if not redis.call('ZSCORE', holds, member) then
        local spent = number(redis.call('HGET', costs, 'nano_usd'))
        local reserved = number(redis.call('GET', held))
        if spent + reserved + amount > tonumber(ARGV[4 + (i - 1) / 3]) then
            return {(i - 1) / 3, string.format('%.0f', spent), string.format('%.0f', reserved)}
        end
    end
end
for i = 1, #KEYS, 3 do
    local holds, held = KEYS[i + 1], KEYS[i + 2]
    if redis.call('ZADD', holds, time + hold_s, member) == 1 then
        redis.call('INCRBY', held, ARGV[2])
    end
    for _, key in ipairs({holds, held}) do
        if redis.call('TTL', key) < hold_s then redis.call('EXPIRE', key, hold_s) end
    end
end
return false
"""
_LET_GO = """
for i = 1, #KEYS, 2 do
    if redis.call('ZREM', KEYS[i], ARGV[1]) == 1 then
        redis.call('DECRBY', KEYS[i + 1], ARGV[2])
    end
end
"""


@dataclass(frozen=True)
class Budget:
    """`setting` is where it stands; `costs` is the hash that counts what is spent under it."""

    setting: str
    usd: float
    costs: str


@dataclass(frozen=True)
class Hold:
    """Of one job, under all its budgets. Equal holds are one."""

    job_id: str
    nano_usd: int
    budgets: Sequence[Budget]
    ends_after_s: int
    """Should nobody let it go."""

    @property
    def member(self) -> str:
        return f"{self.nano_usd}:{self.job_id}"


@dataclass(frozen=True)
class Full:
    """There was no room under this budget."""

    budget: Budget
    spent_nano_usd: int
    held_nano_usd: int


async def take(redis: Redis, hold: Hold) -> Full | None:
    """None: it is held, under all budgets."""
    names = [name for budget in hold.budgets for name in (budget.costs, *_names(budget))]
    bounds = [nano_usd(budget.usd) for budget in hold.budgets]
    found = await redis.eval(
        _TAKE, len(names), *names, hold.member, hold.nano_usd, hold.ends_after_s, *bounds
    )
    if found is None:
        return None
    index, spent, held = map(int, found)
    return Full(hold.budgets[index], spent, held)


async def read_nano_usd(redis: Redis, budget: Budget) -> tuple[int, int]:
    """What is spent, and what is held; holds that have ended go when the next one is taken."""
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hget(budget.costs, SPENT)
        pipeline.get(keys.held(budget.costs))
        spent, held = await pipeline.execute()
    return int(spent or 0), int(held or 0)


def let_go(pipeline: Pipeline, hold: Hold) -> None:
    """Changes nothing when it is not held."""
    names = [name for budget in hold.budgets for name in _names(budget)]
    pipeline.eval(_LET_GO, len(names), *names, hold.member, hold.nano_usd)


def _names(budget: Budget) -> tuple[str, str]:
    return keys.holds(budget.costs), keys.held(budget.costs)
