"""Stored verdicts in Redis: a stream for each run of each caller."""

from redis.asyncio.client import Pipeline

from plaudit_judge.ledger import keys
from plaudit_judge.ledger.call import Call
from plaudit_judge.ledger.retention import VerdictRetention, keep_newest

Run = tuple[str, str]
"""Caller and run id, each "" where there is none."""


def run_of(call: Call) -> Run:
    return call.origin.caller or "", call.origin.run_id or ""


def add_verdict(pipeline: Pipeline, call: Call, record: bytes, retention: VerdictRetention) -> None:
    fields = {
        "judge": call.judge,
        "lane": call.origin.lane,
        "verb": call.origin.verb,
        "record": record,
    }
    stream = keys.verdicts(*run_of(call))
    pipeline.xadd(stream, fields, maxlen=retention.max_per_run)  # type: ignore[arg-type]


def keep_run(pipeline: Pipeline, run: Run, now_s: float, retention: VerdictRetention) -> None:
    """Once verdicts were added to it."""
    caller, run_id = run
    stream, runs = keys.verdicts(caller, run_id), keys.verdict_runs(caller)
    oldest_ms = int(1000 * (now_s - retention.max_age_s))
    pipeline.xtrim(stream, minid=oldest_ms, approximate=False)
    pipeline.expire(stream, int(retention.max_age_s))
    pipeline.sadd(keys.CALLERS, caller)
    pipeline.zadd(runs, {run_id: now_s})
    keep_newest(pipeline, runs, keys.verdicts(caller, ""), retention.max_runs)
