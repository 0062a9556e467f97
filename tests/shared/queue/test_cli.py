import asyncio
import json
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from plaudit.queue import Job, WorkQueue
from plaudit.queue.cli import queue_app

MakeQueue = Callable[..., WorkQueue]


async def run(redis_url: str, *args: str) -> Result:
    """In a thread, since the command runs an event loop of its own."""
    env = {"PLAUDIT_REDIS_URL": redis_url, "COLUMNS": "200"}
    return await asyncio.to_thread(CliRunner().invoke, queue_app, list(args), env=env)


async def run_json(redis_url: str, *args: str) -> Any:
    result = await run(redis_url, *args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def kill(queue: WorkQueue, *job_ids: str, error: str = "boom") -> None:
    await queue.submit_many([Job(job_id, b"\xff payload") for job_id in job_ids])
    for lease in await queue.lease("w", len(job_ids)):
        await queue.fail(lease, error, retryable=True)


async def test_stats_shows_all_queues_or_one(redis_url: str, make_queue: MakeQueue) -> None:
    for name in ("rules", "code"):
        await make_queue(name).submit(Job("job:counts", b""))
    found = await run_json(redis_url, "stats")
    assert [(one["queue"], one["queued"]) for one in found] == [("code", 1), ("rules", 1)]
    assert found[0]["lanes"]["train"]["lag"] == 1
    [one] = await run_json(redis_url, "stats", "rules")
    assert one["queue"] == "rules"
    table = (await run(redis_url, "stats")).stdout
    assert "rules" in table and "eval" in table


async def test_dead_letters_are_listed_retried_and_purged(
    redis_url: str, make_queue: MakeQueue
) -> None:
    queue = make_queue("rules", max_deliveries=1)
    await kill(queue, "a", "b", "c")
    found = await run_json(redis_url, "dead", "list", "rules", "--count", "2")
    assert [(one["job_id"], one["error"]) for one in found] == [("a", "boom"), ("b", "boom")]
    assert "payload" not in found[0]
    [first, *_] = await run_json(redis_url, "dead", "list", "rules", "--payloads")
    assert first["payload"] == "\ufffd payload"
    assert await run_json(redis_url, "dead", "retry", "rules", "a") == {"retried": 1}
    assert await run_json(redis_url, "dead", "retry", "rules", "--all") == {"retried": 2}
    assert (await queue.stats()).queued == 3
    await kill(queue, "d")
    assert (await run(redis_url, "dead", "purge", "rules")).exit_code == 1  # nobody said yes
    assert await run_json(redis_url, "dead", "purge", "rules", "--yes") == {"purged": 1}


async def test_hostile_text_does_not_reach_the_terminal(
    redis_url: str, make_queue: MakeQueue
) -> None:
    queue = make_queue("rules", max_deliveries=1)
    await kill(queue, "[bold]a", error="\x1b]0;owned\x07[/nonsense]")
    result = await run(redis_url, "dead", "list", "rules", "--payloads")
    assert result.exit_code == 0, result.output
    assert "\x1b]0" not in result.stdout
    assert "[bold]a" in result.stdout


async def test_what_cannot_be_done_is_said(redis_url: str) -> None:
    assert (await run(redis_url, "dead", "retry", "rules")).exit_code == 2
    assert (await run(redis_url, "dead", "retry", "rules", "unknown")).exit_code == 1
    bad_name = await run(redis_url, "dead", "list", "a:b")
    assert bad_name.exit_code == 2
    assert "a:b" in bad_name.stderr


async def test_a_password_in_the_url_is_not_shown(redis: Redis) -> None:
    result = await run("redis://:hunter2@127.0.0.1:1/0", "stats")
    assert result.exit_code == 2
    assert "hunter2" not in result.output
