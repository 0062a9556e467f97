from collections import Counter
from collections.abc import Callable

import pytest

from plaudit.queue import Job, WorkQueue

MakeQueue = Callable[..., WorkQueue]


async def fill(queue: WorkQueue, train: int, eval: int) -> None:
    jobs = [Job(f"t{i}", b"") for i in range(train)]
    await queue.submit_many([*jobs, *(Job(f"e{i}", b"", "eval") for i in range(eval))])


async def take(queue: WorkQueue, num_calls: int, batch: int) -> Counter[str]:
    leases = [await queue.lease("w", batch, 0) for _ in range(num_calls)]
    return Counter(lease.lane for taken in leases for lease in taken)


@pytest.mark.parametrize("batch", [1, 7, 50])
async def test_eval_gets_its_share_while_both_lanes_have_work(
    make_queue: MakeQueue, batch: int
) -> None:
    queue = make_queue(eval_share=0.2)
    await fill(queue, 400, 400)
    taken = await take(queue, 350 // batch, batch)
    assert taken.total() == 350 // batch * batch
    assert abs(taken["eval"] - 0.2 * taken.total()) <= 1


async def test_a_lane_alone_gets_everything(make_queue: MakeQueue) -> None:
    queue = make_queue(eval_share=0.2)
    await fill(queue, 0, 30)
    assert await take(queue, 3, 10) == Counter(eval=30)
    await fill(queue, 30, 0)
    assert await take(queue, 3, 10) == Counter(train=30)


async def test_a_short_lane_leaves_its_slots_to_the_other(make_queue: MakeQueue) -> None:
    queue = make_queue(eval_share=0.5)
    await fill(queue, 100, 2)
    assert await take(queue, 1, 50) == Counter(train=48, eval=2)
    await fill(queue, 0, 100)
    assert await take(queue, 2, 90) == Counter(train=52, eval=98) - Counter(eval=0)


async def test_an_empty_lane_saves_up_no_claim(make_queue: MakeQueue) -> None:
    queue = make_queue(eval_share=0.2)
    await fill(queue, 200, 0)
    await take(queue, 100, 1)
    await fill(queue, 0, 50)
    taken = await take(queue, 10, 1)
    assert taken["eval"] == 2


async def test_a_short_lane_saves_up_no_claim_and_owes_nothing(make_queue: MakeQueue) -> None:
    queue = make_queue(eval_share=0.5)
    await fill(queue, 300, 0)
    for i in range(5):  # eval is short
        await queue.submit(Job(f"short{i}", b"", "eval"))
        assert await take(queue, 1, 20) == Counter(train=19, eval=1)
    await fill(queue, 0, 300)
    assert abs((await take(queue, 1, 20))["eval"] - 10) <= 1
    while (left := (await queue.stats()).lanes["train"].queued) > 5:
        await take(queue, 1, 4)
    assert (await take(queue, 1, 40))["train"] == left  # train is short
    await queue.submit_many([Job(f"more{i}", b"") for i in range(100)])
    assert abs((await take(queue, 1, 20))["eval"] - 10) <= 1


async def test_stats_tell_the_lanes_apart(queue: WorkQueue) -> None:
    await fill(queue, 3, 2)
    await queue.lease("w", 1)
    stats = await queue.stats()
    train, evals = stats.lanes["train"], stats.lanes["eval"]
    assert (train.queued, train.running, train.lag, train.submitted) == (2, 1, 2, 3)
    assert (evals.queued, evals.running, evals.lag, evals.submitted) == (2, 0, 2, 2)
    assert (stats.queued, stats.running, stats.lag) == (4, 1, 4)
    assert 0 <= stats.oldest_age_s < 5
