"""The ledger of a run: every group is in one place, and the places add up."""

import pytest
import redis

from plaudit.errors import Conflict
from plaudit_trainer.ledger import LearnerLedger


async def make_ready(ledger, payload, group_ids):
    for group_id in group_ids:
        assert await ledger.ready(group_id, payload(group_id))


async def test_admission_stops_at_the_bound_and_names_each_row_once_per_epoch(conductor_ledger):
    admitted = await conductor_ledger.admit(max_live=7, num_rows=3)
    assert admitted == ["0/0/0", "0/1/0", "0/2/0", "1/0/0", "1/1/0", "1/2/0", "2/0/0"]
    assert await conductor_ledger.admit(max_live=7, num_rows=3) == []


async def test_trained_groups_count_towards_the_bound(
    conductor_ledger, learner_ledger, ready_payload
):
    groups = await conductor_ledger.admit(max_live=2, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, groups)
    learner_ledger.commit_step(1, groups, {})
    assert await conductor_ledger.admit(max_live=2, num_rows=9) == []
    assert len(await conductor_ledger.admit(max_live=4, num_rows=9)) == 2


async def test_a_group_is_handed_to_the_learner_once(
    conductor_ledger, learner_ledger, ready_payload
):
    [group] = await conductor_ledger.admit(max_live=1, num_rows=9)
    assert await conductor_ledger.ready(group, ready_payload(group))
    assert not await conductor_ledger.ready(group, ready_payload(group))
    learner_ledger.commit_step(1, [group], {})
    learner_ledger.checkpointed(1)
    assert not await conductor_ledger.ready(group, ready_payload(group))
    assert learner_ledger.count_ready() == 0


async def test_groups_are_trained_in_the_order_of_their_arrival(
    conductor_ledger, learner_ledger, ready_payload
):
    first, second, third = await conductor_ledger.admit(max_live=3, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, [second, third, first])
    assert [g.group_id for g in learner_ledger.peek_ready(2)] == [second, third]


async def test_a_group_cannot_be_trained_twice(conductor_ledger, learner_ledger, ready_payload):
    groups = await conductor_ledger.admit(max_live=1, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, groups)
    learner_ledger.commit_step(1, groups, {})
    with pytest.raises(Conflict, match="NOTREADY"):
        learner_ledger.commit_step(2, groups, {})
    assert learner_ledger.counts().trained == 1


async def test_a_refused_commit_changes_nothing(conductor_ledger, learner_ledger, ready_payload):
    groups = await conductor_ledger.admit(max_live=2, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, groups[:1])
    with pytest.raises(Conflict):
        learner_ledger.commit_step(1, groups, {})
    assert learner_ledger.counts().trained == 0
    assert learner_ledger.count_ready() == 1


async def test_rollback_returns_groups_to_their_old_places(
    conductor_ledger, learner_ledger, ready_payload
):
    groups = await conductor_ledger.admit(max_live=4, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, groups)
    learner_ledger.commit_step(1, groups[:1], {})
    learner_ledger.checkpointed(1)
    learner_ledger.commit_step(2, groups[1:2], {})
    learner_ledger.commit_step(3, groups[2:3], {})
    assert learner_ledger.rollback(1) == 2
    assert [g.group_id for g in learner_ledger.peek_ready(9)] == groups[1:]
    assert learner_ledger.counts().trained == 1


async def test_a_stale_group_is_dropped_and_its_prompt_tried_again_first(
    conductor_ledger, learner_ledger, ready_payload
):
    [group] = await conductor_ledger.admit(max_live=1, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, [group])
    learner_ledger.commit_step(1, [], {group: "stale"})
    assert await conductor_ledger.admit(max_live=2, num_rows=9) == ["0/0/1", "0/1/0"]
    assert (await conductor_ledger.counts()).dropped == {"stale": 1}


async def test_an_unusable_group_is_not_tried_again(
    conductor_ledger, learner_ledger, ready_payload
):
    [group] = await conductor_ledger.admit(max_live=1, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, [group])
    learner_ledger.commit_step(1, [], {group: "no_reward"})
    assert await conductor_ledger.admit(max_live=1, num_rows=9) == ["0/1/0"]


async def test_dropping_twice_counts_once(conductor_ledger):
    [group] = await conductor_ledger.admit(max_live=1, num_rows=9)
    assert await conductor_ledger.drop([group], "rollout_timeout", try_again=True) == 1
    assert await conductor_ledger.drop([group], "rollout_timeout", try_again=True) == 0


async def test_an_earlier_learner_is_fenced_off(
    conductor_ledger, learner_ledger, ready_payload, redis_url
):
    groups = await conductor_ledger.admit(max_live=1, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, groups)
    with redis.Redis.from_url(redis_url) as client:
        newer = LearnerLedger(client, "r")
        newer.claim("newer")
        with pytest.raises(Conflict, match="another learner"):
            learner_ledger.commit_step(1, groups, {})
        newer.commit_step(1, groups, {})


async def test_final_states_are_told_once_they_are_final(
    conductor_ledger, learner_ledger, ready_payload
):
    groups = await conductor_ledger.admit(max_live=3, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, groups)
    learner_ledger.commit_step(5, groups[:2], {groups[2]: "stale"})
    states = {e.group_id: e.state for e in await conductor_ledger.events()}
    assert states == {groups[2]: "dropped:stale"}
    learner_ledger.checkpointed(5)
    events = await conductor_ledger.events()
    assert {e.group_id: e.state for e in events} == {
        groups[0]: "trained:5",
        groups[1]: "trained:5",
        groups[2]: "dropped:stale",
    }
    await conductor_ledger.forget_events(events)
    assert await conductor_ledger.events() == []


async def test_nothing_is_kept_of_a_checkpointed_group(
    conductor_ledger, learner_ledger, ready_payload, redis_url
):
    groups = await conductor_ledger.admit(max_live=50, num_rows=9)
    await make_ready(conductor_ledger, ready_payload, groups)
    learner_ledger.commit_step(1, groups, {})
    learner_ledger.checkpointed(1)
    await conductor_ledger.forget_events(await conductor_ledger.events())
    with redis.Redis.from_url(redis_url) as client:
        left = {key.decode().rpartition(":")[2] for key in client.keys("plaudit:run:r:*")}
    assert left == {"counts", "claims", "fence", "events"}
