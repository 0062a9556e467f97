"""What the conductor remembers does not grow with the run."""

import asyncio

from plaudit_trainer.conductor.admission import submit
from plaudit_trainer.conductor.watch import MAX_KNOWN_VERSIONS, PolicyWatch

NUM_GROUPS = 100


async def hand_on(context, rollouts, until, num_before):
    """So many more groups, from admission to their settled leases."""
    num_groups = num_before + NUM_GROUPS
    await submit(context, await context.ledger.admit(max_live=num_groups, num_rows=5))
    await until(lambda: len(rollouts.acked) == num_groups)


async def test_nothing_stays_of_groups_that_were_handed_on(
    conductors, rollouts, arrive, learner, until
):
    context = conductors()
    arrive(context)
    await hand_on(context, rollouts, until, 0)
    num_tasks = len(asyncio.all_tasks())
    await hand_on(context, rollouts, until, NUM_GROUPS)
    await until(lambda: len(asyncio.all_tasks()) <= num_tasks)
    assert context.scoring == set()
    assert context.waiting.entries() == []
    assert learner.ledger.count_ready() == 2 * NUM_GROUPS


async def test_of_many_policy_versions_only_the_newest_are_remembered(
    conductors, learner, rollouts
):
    context = conductors()
    watch = PolicyWatch(context)
    for step in range(2 * MAX_KNOWN_VERSIONS):
        learner.step = step
        learner.publish()
        await watch.refresh()
        assert context.served_step == step
    assert len(watch._steps) == MAX_KNOWN_VERSIONS
