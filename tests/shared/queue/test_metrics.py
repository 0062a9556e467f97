from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest

from plaudit.queue import Job, QueueCollector, WorkQueue

MakeQueue = Callable[..., WorkQueue]


async def test_metrics_of_several_queues_have_one_family_each_and_bounded_labels(
    make_queue: MakeQueue,
) -> None:
    collector = QueueCollector()
    for name in ("rules", "code"):
        queue = make_queue(name, max_deliveries=1)
        await queue.submit_many([Job(f"secret-{i}", b"") for i in range(3)])
        done, dead = await queue.lease("w", 2)
        await queue.complete(done, b"")
        await queue.fail(dead, "secret", retryable=True)
        collector.update(await queue.stats())
        collector.update(await queue.stats())
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    assert 'plaudit_queue_queued{lane="train",queue="rules"} 1.0' in text
    assert 'plaudit_queue_lag{lane="train",queue="code"} 1.0' in text
    assert 'plaudit_queue_done_total{lane="train",queue="code"} 1.0' in text
    assert 'plaudit_queue_dead_letters{queue="rules"} 1.0' in text
    assert 'plaudit_queue_oldest_age_seconds{lane="train",queue="rules"}' in text
    assert text.count('plaudit_queue_queued{lane="train",queue="rules"}') == 1
    assert text.count("# TYPE plaudit_queue_queued gauge") == 1
    assert "secret" not in text
