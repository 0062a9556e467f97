"""`plaudit queue`: look into the queues and deal with dead letters."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plaudit.errors import PlauditError
from plaudit.queue.model import DeadJob, QueueStats
from plaudit.queue.options import QueueOptions
from plaudit.queue.queue import WorkQueue
from plaudit.telemetry import escape_control

T = TypeVar("T")

queue_app = typer.Typer(name="queue", help="Look into the work queues.", no_args_is_help=True)
dead_app = typer.Typer(help="Jobs that used up their deliveries.", no_args_is_help=True)
queue_app.add_typer(dead_app, name="dead")

RedisUrl = Annotated[
    str, typer.Option("--redis-url", envvar="PLAUDIT_REDIS_URL", help="Redis with the queues.")
]
QueueName = Annotated[str, typer.Argument(help="Name of the queue, as `plaudit queue stats` says.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
LOCAL_REDIS = "redis://127.0.0.1:6379/0"


@queue_app.command()
def stats(
    queue: Annotated[str | None, typer.Argument(help="One queue; all when left out.")] = None,
    as_json: AsJson = False,
    redis_url: RedisUrl = LOCAL_REDIS,
) -> None:
    """Depth, lag, age and totals of each queue, by lane."""

    async def read(redis: Redis) -> list[QueueStats]:
        names = [queue] if queue else await queue_names(redis)
        return [await _with_queue(redis, name, WorkQueue.stats) for name in names]

    found = _run(redis_url, read)
    if as_json:
        _print_json([_stats_json(one) for one in found])
    else:
        Console().print(_stats_table(found))


@dead_app.command("list")
def dead_list(
    queue: QueueName,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many, oldest first.")] = 20,
    payloads: Annotated[bool, typer.Option("--payloads", help="With payloads, as text.")] = False,
    as_json: AsJson = False,
    redis_url: RedisUrl = LOCAL_REDIS,
) -> None:
    """What died, when and of what."""
    jobs = _run(redis_url, lambda redis: _with_queue(redis, queue, lambda q: q.list_dead(count)))
    if as_json:
        _print_json([_dead_json(job, payloads) for job in jobs])
    else:
        Console().print(_dead_table(jobs, payloads))


@dead_app.command("retry")
def dead_retry(
    queue: QueueName,
    job_id: Annotated[str | None, typer.Argument(help="One job.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead jobs.")] = False,
    max_jobs: Annotated[
        int, typer.Option(min=1, help="Bound on unfinished jobs; as the service has it.")
    ] = QueueOptions().max_jobs,
    as_json: AsJson = False,
    redis_url: RedisUrl = LOCAL_REDIS,
) -> None:
    """Queue dead jobs again, with all their deliveries before them."""
    if (job_id is None) != everything:
        raise typer.BadParameter("give either a JOB_ID or --all")
    options = QueueOptions(max_jobs=max_jobs)
    retried = _run(
        redis_url,
        lambda redis: _with_queue(redis, queue, lambda q: q.retry_dead(job_id), options),
    )
    _say(as_json, {"retried": retried}, f"{retried} dead jobs of {queue} queued again")
    if job_id is not None and not retried:
        raise typer.Exit(1)


@dead_app.command("purge")
def dead_purge(
    queue: QueueName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    redis_url: RedisUrl = LOCAL_REDIS,
) -> None:
    """Drop all dead letters of a queue, payloads and all."""
    if not yes:
        typer.confirm(f"Drop all dead letters of {queue}?", abort=True, err=True)
    purged = _run(redis_url, lambda redis: _with_queue(redis, queue, WorkQueue.purge_dead))
    _say(as_json, {"purged": purged}, f"{purged} dead letters of {queue} dropped")


async def queue_names(redis: Redis) -> list[str]:
    """Every queue that has ever had a job, in this Redis database."""
    pattern = re.compile(rb"plaudit:q:([A-Za-z0-9._-]+):counts")
    keys = [key async for key in redis.scan_iter(match="plaudit:q:*:counts", count=1000)]
    return sorted({found[1].decode() for key in keys if (found := pattern.fullmatch(key))})


async def _with_queue(
    redis: Redis,
    name: str,
    call: Callable[[WorkQueue], Awaitable[T]],
    options: QueueOptions | None = None,
) -> T:
    queue = WorkQueue(redis, name, options)
    try:
        return await call(queue)
    finally:
        await queue.aclose()


def _run(redis_url: str, call: Callable[[Redis], Awaitable[T]]) -> T:
    async def main() -> T:
        async with Redis.from_url(redis_url) as redis:
            return await call(redis)

    try:
        return asyncio.run(main())
    except (PlauditError, RedisError, ValueError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=True))


def _say(as_json: bool, value: dict[str, int], text: str) -> None:
    if as_json:
        _print_json(value)
    else:
        typer.echo(text)


def _stats_json(stats: QueueStats) -> dict[str, Any]:
    totals = ("queued", "running", "lag", "oldest_age_s", "done", "failed", "redelivered")
    return asdict(stats) | {name: getattr(stats, name) for name in totals}


def _stats_table(found: list[QueueStats]) -> Table:
    columns = ("queued", "running", "lag", "done", "failed", "dead", "cancelled", "redelivered")
    table = Table("queue", "lane", *columns, "oldest", "letters", "refused")
    for one in found:
        for lane, values in one.lanes.items():
            numbers = [str(getattr(values, name)) for name in columns]
            oldest = f"{values.oldest_age_s:.1f} s"
            table.add_row(one.queue, lane, *numbers, oldest, str(one.dead), str(one.refused))
    return table


def _dead_json(job: DeadJob, with_payload: bool) -> dict[str, Any]:
    fields = asdict(job)
    payload = fields.pop("payload")
    extra: dict[str, Any] = {"payload_bytes": len(payload)}
    if with_payload:
        extra["payload"] = payload.decode(errors="replace")
    return fields | extra


def _dead_table(jobs: list[DeadJob], with_payload: bool) -> Table:
    table = Table("job", "lane", "died", "deliveries", "bytes", "error")
    if with_payload:
        table.add_column("payload")
    for job in jobs:
        died = datetime.fromtimestamp(job.died_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        last_line = job.error.strip().rpartition("\n")[2]
        row = [job.job_id, job.lane, died, str(job.deliveries), str(len(job.payload)), last_line]
        if with_payload:
            row.append(job.payload.decode(errors="replace"))
        table.add_row(*(escape(escape_control(cell)) for cell in row))
    return table
