import asyncio
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from plaudit.queue import Job, WorkQueue, queue_metrics_text
from plaudit.testing import redis_process

MakeQueue = Callable[..., WorkQueue]
OWN_LABELS = ({"queue"}, {"queue", "lane"})


async def test_metrics_of_several_queues_have_one_family_each_and_bounded_labels(
    make_queue: MakeQueue,
) -> None:
    queues = [make_queue(name, max_deliveries=1) for name in ("rules", "code")]
    for queue in queues:
        await queue.submit_many([Job(f"secret-{i}", b"") for i in range(3)])
        done, dead = await queue.lease("w", 2)
        await queue.complete(done, b"")
        await queue.fail(dead, "secret", retryable=True)
    text = (await queue_metrics_text(*queues)).decode()
    assert 'plaudit_queue_queued{lane="train",queue="rules"} 1.0' in text
    assert 'plaudit_queue_lag{lane="train",queue="code"} 1.0' in text
    assert 'plaudit_queue_done_total{lane="train",queue="code"} 1.0' in text
    assert 'plaudit_queue_dead_letters{queue="rules"} 1.0' in text
    assert 'plaudit_queue_oldest_age_seconds{lane="train",queue="rules"}' in text
    assert text.count('plaudit_queue_queued{lane="train",queue="rules"}') == 1
    assert text.count("# TYPE plaudit_queue_queued gauge") == 1
    assert "secret" not in text
    for family in text_string_to_metric_families(text):
        assert all(sample.labels.keys() in OWN_LABELS for sample in family.samples), family.name


async def test_metrics_show_the_moment_they_are_asked_for(make_queue: MakeQueue) -> None:
    queue = make_queue("q", retry_delay_s=0.01)
    await queue.submit(Job("a", b""))
    before = await queue_metrics_text(queue)
    [lease] = await queue.lease("w", 1)
    await queue.fail(lease, "once more", retryable=True)
    await queue.lease("w", 1, wait_s=5)
    after = (await queue_metrics_text(queue)).decode()
    assert b'plaudit_queue_queued{lane="train",queue="q"} 1.0' in before
    assert 'plaudit_queue_queued{lane="train",queue="q"} 0.0' in after
    assert 'plaudit_queue_running{lane="train",queue="q"} 1.0' in after
    assert 'plaudit_queue_redelivered_total{lane="train",queue="q"} 1.0' in after


async def test_without_redis_the_metrics_come_without_values() -> None:
    with redis_process() as server:
        async with Redis.from_url(server.url) as redis:
            queue = WorkQueue(redis, "q")
            await queue.submit(Job("a", b""))
            server.kill()
            async with asyncio.timeout(5):
                text = (await queue_metrics_text(queue)).decode()
            await queue.aclose()
    assert "# TYPE plaudit_queue_queued gauge" in text
    assert 'queue="q"' not in text
