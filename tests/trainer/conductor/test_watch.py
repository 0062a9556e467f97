"""Which step the engines serve, where every group ended, and when nothing moves any more."""

import asyncio

import pytest

from plaudit.errors import Stalled, Unauthorized
from plaudit.schemas.policy import PolicyReplica, PolicyState
from plaudit_trainer.bounds import STARTUP_BOUND_S
from plaudit_trainer.conductor.watch import PolicyWatch, StallWatch, write_events


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def replica(name, version, state="serving", **more):
    return PolicyReplica(replica_id=name, version=version, state=state, updated_at=0.0, **more)


async def served(context, rollouts, *replicas):
    announced = rollouts.policy.announced
    rollouts.policy = PolicyState(announced=announced, replicas=list(replicas))
    await PolicyWatch(context).refresh()
    return context.served_step


def waits(context):
    return {entry.who: entry.what for entry in context.waiting.entries()}


async def test_the_served_step_is_the_oldest_that_any_engine_generates_with(
    conductors, learner, rollouts
):
    for step in range(3):
        learner.step = step
        learner.publish()
    context = conductors()
    assert await served(context, rollouts, replica("a", 2), replica("b", 1)) == 1
    assert await served(context, rollouts, replica("a", 2), replica("b", 1, "loading")) == 1
    assert await served(context, rollouts, replica("a", 2), replica("b", 1, "down")) == 2
    assert await served(context, rollouts, replica("a", 2), replica("b", None, "starting")) == 2
    assert waits(context) == {}


async def test_who_keeps_an_engine_from_serving_is_named(conductors, learner, rollouts):
    context = conductors()
    assert await served(context, rollouts) is None
    assert waits(context) == {"policy": "the learner's first policy version"}
    learner.publish(serves=False)
    assert await served(context, rollouts) is None
    assert waits(context) == {"policy": "a rollout worker"}
    assert await served(context, rollouts, replica("a", None, "starting", error="loads")) is None
    assert waits(context) == {"policy": "an engine that serves version 0: a is starting loads"}


async def test_versions_of_another_run_do_not_count(conductors, learner, rollouts):
    learner.publish()
    other = rollouts.policy.announced.model_copy(update={"run_id": "another"})
    rollouts.policy = PolicyState(announced=other, replicas=rollouts.policy.replicas)
    context = conductors()
    await PolicyWatch(context).refresh()
    assert context.served_step is None


async def test_every_load_of_an_engine_is_written_down_once(conductors, learner, rollouts):
    learner.publish()
    context = conductors()
    watch = PolicyWatch(context)
    await watch.refresh()
    await watch.refresh()
    learner.step = 1
    learner.publish()
    await watch.refresh()
    records = list(context.run_dir.read_jsonl("policy.jsonl"))
    assert [(r["replica_id"], r["version"]) for r in records] == [("e0", 0), ("e0", 1)]


async def test_a_rollout_service_that_is_away_is_waited_for_by_name(conductors, rollouts):
    rollouts.is_down = True
    context = conductors()
    await PolicyWatch(context).refresh()
    assert "it is being restarted" in waits(context)["policy"]


async def test_a_key_that_the_rollout_service_refuses_is_not_waited_for(conductors, rollouts):
    def refuse():
        raise Unauthorized("The API key is not valid.")

    rollouts.check_up = refuse
    with pytest.raises(Unauthorized):
        await PolicyWatch(conductors()).refresh()


async def test_every_group_ends_up_in_the_ledger_file_once(conductors, learner, ready_payload):
    context = conductors()
    first, second = await context.ledger.admit(max_live=2, num_rows=5)
    await context.ledger.ready(first, ready_payload(first))
    learner.train(1)
    await context.ledger.drop([second], "run_over", try_again=False)
    await write_events(context)
    await write_events(context)
    found = {r["group_id"]: r["state"] for r in context.run_dir.read_jsonl("ledger.jsonl")}
    assert found == {first: "trained:1", second: "dropped:run_over"}
    assert len(list(context.run_dir.read_jsonl("ledger.jsonl"))) == 2


@pytest.fixture
def stalling(conductors):
    """A run whose engines serve, its stall watch and the clock that both go by."""
    context = conductors(pipeline={"stall_timeout_s": 30})
    context.clock = Clock()
    context.served_step = 0
    return context, StallWatch(context), context.clock


async def test_a_run_in_which_nothing_moves_ends_and_says_who_waits_for_what(stalling):
    context, watch, clock = stalling
    [group] = await context.ledger.admit(max_live=1, num_rows=5)
    context.scoring.add(group)
    context.waiting.note("admission", "the rollout service: connection refused")
    await watch.check()
    clock.now += 30
    await watch.check()
    clock.now += 1
    with pytest.raises(Stalled) as raised:
        await watch.check()
    for said in (
        "nothing progressed for 31 s", "pipeline.stall_timeout_s = 30", "1 groups in flight",
        "admission waits for the rollout service: connection refused", "stall.json",
    ):  # fmt: skip
        assert said in str(raised.value)
    assert "until an engine serves" not in str(raised.value)
    dump = context.run_dir.read_json("stall.json")
    assert dump["waiting"][0]["who"] == "admission"
    assert list(dump["admitted"]) == dump["scoring"] == [group]
    assert dump["ledger"] == {"admitted": 1, "trained": 0, "dropped": {}, "in_flight": 1}


async def test_what_the_learner_waits_for_is_told_too(stalling, learner):
    _, watch, clock = stalling
    learner.ledger.set_waiting("learner", "16 scored groups")
    await watch.check()
    clock.now += 31
    with pytest.raises(Stalled, match="learner waits for 16 scored groups"):
        await watch.check()


async def test_whatever_moves_starts_the_clock_again(stalling, learner, ready_payload):
    context, watch, clock = stalling
    await watch.check()

    async def drop_another():
        groups = await context.ledger.admit(max_live=9, num_rows=5, most=1)
        await context.ledger.drop(groups, "stale", try_again=True)

    moves = [
        lambda: context.ledger.admit(max_live=1, num_rows=5),
        lambda: context.ledger.ready("0/0/0", ready_payload("0/0/0")),
        lambda: asyncio.to_thread(learner.train, 1),
        drop_another,
        lambda: context.ledger.set_progress(evaluated=3),
    ]
    for move in moves:
        clock.now += 20
        await move()
        await watch.check()
        clock.now += 20
        await watch.check()
    clock.now += 31
    with pytest.raises(Stalled):
        await watch.check()


async def test_engines_may_take_longer_to_start_than_a_run_may_stall(stalling):
    context, watch, clock = stalling
    context.served_step = None
    context.waiting.note("policy", "an engine that serves version 0: e0 is starting")
    await watch.check()
    clock.now += STARTUP_BOUND_S
    await watch.check()

    context.served_step = 0
    await watch.check()
    context.served_step = None
    clock.now += 30
    await watch.check()
    clock.now += 1
    with pytest.raises(Stalled):
        await watch.check()


async def test_engines_that_never_serve_end_the_run_and_are_named(stalling):
    context, watch, clock = stalling
    context.served_step = None
    context.waiting.note("policy", "an engine that serves version 0: e0 is starting")
    await watch.check()
    clock.now += STARTUP_BOUND_S + 1
    with pytest.raises(Stalled, match=r"1800 until an engine serves.*e0 is starting"):
        await watch.check()


async def test_the_watch_ends_by_itself_within_the_bound(conductors):
    context = conductors(pipeline={"stall_timeout_s": 0.5})
    context.served_step = 0
    with pytest.raises(Stalled):
        await asyncio.wait_for(StallWatch(context).run(), 4)
