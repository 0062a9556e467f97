from collections.abc import Callable

import pytest

from plaudit.errors import QueueFull
from plaudit.queue import Job, WorkQueue

MakeQueue = Callable[..., WorkQueue]


async def kill(queue: WorkQueue, *job_ids: str) -> None:
    """Queues with max_deliveries=1 only."""
    await queue.submit_many(
        [Job(job_id, b"p-" + job_id.encode(), "eval", "t") for job_id in job_ids]
    )
    for lease in await queue.lease("w", len(job_ids)):
        assert await queue.fail(lease, f"no {lease.job_id}", retryable=True) == "dead"


async def test_a_dead_letter_keeps_payload_and_error(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=1)
    await kill(queue, "a")
    [dead] = await queue.list_dead(10)
    assert (dead.job_id, dead.payload, dead.error) == ("a", b"p-a", "no a")
    assert (dead.lane, dead.traceparent, dead.deliveries) == ("eval", "t", 1)
    assert dead.submitted_at <= dead.died_at


async def test_a_retried_job_starts_afresh(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=1)
    await kill(queue, "a", "b")
    assert await queue.retry_dead("a") == 1
    assert await queue.retry_dead("a") == 0
    assert await queue.retry_dead("unknown") == 0
    [lease] = await queue.lease("w")
    assert (lease.job_id, lease.payload, lease.lane) == ("a", b"p-a", "eval")
    assert (lease.traceparent, lease.deliveries) == ("t", 1)
    await queue.complete(lease, b"r")
    assert (await queue.record("a")).status == "done"
    assert [dead.job_id for dead in await queue.list_dead()] == ["b"]


async def test_all_dead_jobs_are_retried_in_several_rounds(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=1)
    await kill(queue, *(str(i) for i in range(230)))
    assert await queue.retry_dead() == 230
    assert (await queue.stats()).dead == 0
    assert len(await queue.lease("w", 500)) == 230


async def test_retry_respects_the_bound_of_the_queue(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=1, max_jobs=3)
    await kill(queue, "a", "b", "c")
    await queue.submit(Job("x", b""))
    with pytest.raises(QueueFull, match="2 dead jobs were queued again"):
        await queue.retry_dead()
    stats = await queue.stats()
    assert (stats.queued, stats.dead) == (3, 1)


async def test_a_dead_job_whose_id_is_in_use_again_is_not_made_twice(
    make_queue: MakeQueue,
) -> None:
    queue = make_queue(max_deliveries=1)
    await kill(queue, "a")
    await queue.forget(["a"])
    await queue.submit(Job("a", b"newer"))
    assert await queue.retry_dead() == 0
    assert [lease.payload for lease in await queue.lease("w", 5)] == [b"newer"]


async def test_a_job_that_dies_again_leaves_one_letter(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=1)
    await kill(queue, "a", "b")
    await queue.forget(["a"])
    await kill(queue, "a")
    assert [dead.job_id for dead in await queue.list_dead()] == ["b", "a"]


async def test_the_oldest_letters_make_room_and_are_counted(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=1, max_dead=3)
    await kill(queue, *"abcde")
    assert [dead.job_id for dead in await queue.list_dead()] == ["c", "d", "e"]
    stats = await queue.stats()
    assert (stats.dead, stats.dead_dropped, stats.lanes["eval"].dead) == (3, 2, 5)
    assert await queue.retry_dead("a") == 0


async def test_purge_empties_the_letters(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=1)
    await kill(queue, "a", "b")
    assert await queue.purge_dead() == 2
    assert await queue.list_dead() == []
    assert await queue.retry_dead() == 0
    assert (await queue.record("a")).status == "dead"
