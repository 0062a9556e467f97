import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from plaudit.errors import BodyTooLarge, ConfigError, QueueFull, Rejected
from plaudit.queue import Job, QueueOptions, WorkQueue

MakeQueue = Callable[..., WorkQueue]


async def test_a_job_comes_out_as_it_went_in(queue: WorkQueue) -> None:
    payload = bytes(range(256)) * 200
    submitted = await queue.submit(Job("run/0/1/é", payload, "eval", "00-aa-bb-01"))
    assert (submitted.created, submitted.status) == (True, "queued")
    [lease] = await queue.lease("w")
    assert (lease.job_id, lease.payload, lease.lane) == ("run/0/1/é", payload, "eval")
    assert (lease.traceparent, lease.deliveries) == ("00-aa-bb-01", 1)


async def test_the_same_id_is_the_same_job(queue: WorkQueue) -> None:
    await queue.submit(Job("a", b"first"))
    again = await queue.submit(Job("a", b"second"))
    assert (again.created, again.status) == (False, "queued")
    [lease] = await queue.lease("w", 10)
    assert lease.payload == b"first"
    assert (await queue.submit(Job("a", b"third"))).status == "running"
    await queue.complete(lease, b"")
    assert (await queue.submit(Job("a", b"fourth"))).status == "done"
    assert await queue.lease("w", wait_s=0) == []


async def test_a_thousand_submits_of_one_id_at_once_make_one_job(make_queue: MakeQueue) -> None:
    queues = [make_queue(), make_queue()]
    replies = await asyncio.gather(*(queues[i % 2].submit(Job("a", b"x")) for i in range(1000)))
    assert sum(reply.created for reply in replies) == 1
    assert (await queues[0].stats()).queued == 1


async def test_a_full_queue_refuses_and_trims_nothing(make_queue: MakeQueue) -> None:
    queue = make_queue(max_jobs=3)
    await queue.submit_many([Job("a", b"", "train"), Job("b", b"", "eval"), Job("c", b"")])
    with pytest.raises(QueueFull, match=r"queue q .* at most 3 .*max_jobs") as refused:
        await queue.submit(Job("d", b""))
    assert refused.value.retry_after_s is not None
    assert await queue.record("d") is None
    assert not (await queue.submit(Job("a", b""))).created  # known ids are welcome
    [lease] = await queue.lease("w")
    with pytest.raises(QueueFull):  # a job that runs still counts
        await queue.submit(Job("d", b""))
    await queue.complete(lease, b"")
    assert (await queue.submit(Job("d", b""))).created
    stats = await queue.stats()
    assert (stats.queued, stats.refused) == (3, 2)


async def test_a_batch_that_does_not_fit_is_refused_whole(make_queue: MakeQueue) -> None:
    queue = make_queue(max_jobs=3)
    await queue.submit(Job("a", b""))
    with pytest.raises(QueueFull):
        await queue.submit_many([Job(name, b"") for name in "abcd"])
    assert (await queue.stats()).queued == 1
    replies = await queue.submit_many([Job(name, b"") for name in ("a", "b", "b", "c")])
    assert [reply.created for reply in replies] == [False, True, False, True]


async def test_a_refused_batch_does_not_spoil_its_neighbours(make_queue: MakeQueue) -> None:
    queue = make_queue(max_jobs=3)
    units = [[Job(f"{i}{j}", b"") for j in range(size)] for i, size in enumerate((2, 3, 1))]
    replies = await asyncio.gather(*map(queue.submit_many, units), return_exceptions=True)
    assert [isinstance(reply, QueueFull) for reply in replies] == [False, True, False]
    assert (await queue.stats()).queued == 3


@pytest.mark.parametrize("job_id", ["", "a\nb", "a\x00", "x" * 513, "\ud800"])
async def test_a_hostile_id_is_refused(queue: WorkQueue, job_id: str) -> None:
    with pytest.raises(Rejected, match="job_id"):
        await queue.submit(Job(job_id, b""))


async def test_a_payload_over_the_limit_is_refused(make_queue: MakeQueue) -> None:
    queue = make_queue(max_payload_bytes=10)
    with pytest.raises(BodyTooLarge, match="max_payload_bytes is 10"):
        await queue.submit(Job("a", b"x" * 11))
    assert (await queue.submit(Job("a", b"x" * 10))).created


async def test_a_payload_of_a_wrong_type_hurts_only_its_sender(queue: WorkQueue) -> None:
    bad = Job("bad", "text")  # type: ignore[arg-type]
    replies = await asyncio.gather(
        queue.submit(Job("a", b"")), queue.submit(bad), return_exceptions=True
    )
    assert [type(reply).__name__ for reply in replies] == ["Submitted", "TypeError"]


async def test_bad_names_options_and_clients_are_named(redis: Redis) -> None:
    with pytest.raises(ConfigError, match="a:b"):
        WorkQueue(redis, "a:b")
    with pytest.raises(ValidationError, match="max_jobs"):
        QueueOptions(max_jobs=0)
    with pytest.raises(ConfigError, match="decode_responses"):
        WorkQueue(Redis(decode_responses=True), "q")


async def test_all_keys_of_a_queue_share_its_prefix(redis: Redis, make_queue: MakeQueue) -> None:
    queue = make_queue("some", max_deliveries=1)
    await queue.submit_many([Job("a", b""), Job("b", b""), Job("c", b"", "eval")])
    a, b = await queue.lease("w", 2, 0)
    await queue.complete(a, b"r")
    await queue.fail(b, "e", retryable=True)
    keys: Any = await redis.keys("*")
    assert len(keys) > 5
    assert all(key.startswith(b"plaudit:q:some:") for key in keys)
