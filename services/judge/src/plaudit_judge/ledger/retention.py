"""How much the ledger keeps: tables [judge.verdicts] and [judge.costs]."""

from pydantic import Field
from redis.asyncio.client import Pipeline

from plaudit.schemas.common import Contract

_DAY_S = 86_400.0
_KEEP_NEWEST = """
local surplus = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[2])
if surplus > 0 then
    local oldest = redis.call('ZPOPMIN', KEYS[1], surplus)
    for i = 1, #oldest, 2 do redis.call('UNLINK', ARGV[1] .. oldest[i]) end
end
"""


class VerdictRetention(Contract):
    enabled: bool = True
    """False: no verdict is stored."""
    max_per_run: int = Field(default=10_000, ge=1, le=10_000_000)
    """The oldest go first."""
    max_runs: int = Field(default=16, ge=1, le=10_000)
    """Of each caller; those that were judged for last stay."""
    max_age_s: float = Field(default=7 * _DAY_S, ge=1.0, le=3650 * _DAY_S)
    max_bytes: int = Field(default=8192, ge=4096, le=65_536)
    """Of one verdict. Of longer texts the start of the question and the end of the reply stay."""


class CostRetention(Contract):
    """Of the totals of runs; those of callers stay."""

    max_runs: int = Field(default=1000, ge=1, le=100_000)
    """Of each caller; those that were judged for last stay."""
    max_age_s: float = Field(default=90 * _DAY_S, ge=1.0, le=3650 * _DAY_S)
    """Since the run was last judged for."""


def keep_newest(pipeline: Pipeline, runs: str, prefix: str, max_runs: int) -> None:
    """Deletes what the runs beyond the newest `max_runs` of the sorted set `runs` have."""
    pipeline.eval(_KEEP_NEWEST, 1, runs, prefix, max_runs)
