"""Taking a batch from a real ledger: fit groups only, bounded waits, nothing lost."""

import threading
import time

import pytest

from plaudit.errors import Stalled
from plaudit.schemas.reward import CompletionScore
from plaudit_trainer.learner import source as source_module
from plaudit_trainer.learner.checkpoint import CheckpointRecord
from plaudit_trainer.learner.main import learned_weights
from plaudit_trainer.learner.source import GroupSource, StopRequested
from plaudit_trainer.learner.weights import LearnedWeights

STEPS = {0: 0, 1: 1, 2: 2, 3: 3}


def with_versions(group, *versions: int):
    completions = [
        c.model_copy(update={"policy_versions": list(versions)}) for c in group.rollout.completions
    ]
    rollout = group.rollout.model_copy(update={"completions": completions})
    return group.model_copy(update={"rollout": rollout})


def equal_scores(value: float | None) -> list[CompletionScore]:
    return [CompletionScore(total=None, rewards={"accuracy": value, "format": value})] * 4


@pytest.fixture
def claimed(ledger):
    ledger.claim("test")
    return ledger


def test_the_oldest_groups_are_taken_and_stay_ready(claimed, make_recipe, make_group):
    claimed.fill([make_group(number) for number in range(3)])
    batch = GroupSource(claimed, make_recipe(), STEPS).take(0)
    assert [taken.group.group_id for taken in batch.groups] == ["0/0/0", "0/1/0"]
    assert claimed.count_ready() == 3


def test_a_stale_group_is_dropped_and_its_prompt_tried_again(claimed, make_recipe, make_group):
    recipe = make_recipe(pipeline={"max_staleness": 1})
    old = with_versions(make_group(0), 1, 3)
    claimed.fill([old, *(with_versions(make_group(n), 2) for n in (1, 2))])
    batch = GroupSource(claimed, recipe, STEPS).take(3)
    assert [taken.group.group_id for taken in batch.groups] == ["0/1/0", "0/2/0"]
    assert [taken.staleness for taken in batch.groups] == [1, 1]
    assert batch.dropped == claimed.counts().dropped == {"stale": 1}
    assert claimed.client.lrange("plaudit:run:r:returned", 0, -1) == [b"0/0/1"]


def test_staleness_is_that_of_the_oldest_token_and_never_negative(claimed, make_recipe, make_group):
    claimed.fill([with_versions(make_group(0), 1, 2), with_versions(make_group(1), 3)])
    batch = GroupSource(claimed, make_recipe(), STEPS).take(2)
    assert [taken.staleness for taken in batch.groups] == [1, 0]


def test_only_tokens_of_the_very_weights_at_hand_are_on_policy(claimed, make_recipe, make_group):
    claimed.fill([with_versions(make_group(0), 2), with_versions(make_group(1), 2, 3)])
    batch = GroupSource(claimed, make_recipe(), STEPS).take(2)
    assert [taken.is_on_policy for taken in batch.groups] == [True, False]
    resumed = GroupSource(claimed, make_recipe(), STEPS, first_version=4)
    assert not any(taken.is_on_policy for taken in resumed.take(2).groups)


def test_a_group_without_rewards_is_dropped(claimed, make_recipe, make_group):
    groups = [make_group(0, scores=equal_scores(None)), make_group(1), make_group(2)]
    claimed.fill(groups)
    batch = GroupSource(claimed, make_recipe(), STEPS).take(0)
    assert [taken.group.group_id for taken in batch.groups] == ["0/1/0", "0/2/0"]
    assert claimed.counts().dropped == {"no_reward": 1}


def test_a_group_without_variance_is_replaced_only_when_asked(claimed, make_recipe, make_group):
    claimed.fill([make_group(0, scores=equal_scores(1.0)), make_group(1), make_group(2)])
    kept = GroupSource(claimed, make_recipe(), STEPS).take(0)
    assert kept.groups[0].group.group_id == "0/0/0"
    replacing = make_recipe(method={"zero_variance": "replace"})
    batch = GroupSource(claimed, replacing, STEPS).take(0)
    assert [taken.group.group_id for taken in batch.groups] == ["0/1/0", "0/2/0"]
    assert claimed.counts().dropped == {"zero_variance": 1}


def test_a_group_with_too_few_completions_is_dropped(claimed, make_recipe, make_group):
    short = make_group(0, completions=make_group(0).rollout.completions[:2])
    claimed.fill([short, make_group(1), make_group(2)])
    GroupSource(claimed, make_recipe(), STEPS).take(0)
    assert claimed.counts().dropped == {"incomplete": 1}


def test_drops_make_room_before_the_batch_is_full(claimed, make_recipe, make_group):
    """Else a synchronous run would wait for a group that is never admitted."""
    claimed.fill([make_group(0, scores=equal_scores(None)), make_group(1)])
    thread = threading.Thread(target=add_when_room, args=(claimed, make_group(2)))
    thread.start()
    batch = GroupSource(claimed, make_recipe(), STEPS).take(0)
    thread.join()
    assert [taken.group.group_id for taken in batch.groups] == ["0/1/0", "0/2/0"]


def add_when_room(ledger, group):
    while ledger.counts().in_flight > 1:
        time.sleep(0.01)
    ledger.fill([group])


def test_learned_weights_follow_the_rewards_of_trained_steps(claimed, make_recipe, make_group):
    learned = LearnedWeights({"accuracy": 1.0, "format": 1.0}, 0.5)
    scores = [
        CompletionScore(total=None, rewards={"accuracy": i % 2, "format": 1}) for i in range(4)
    ]
    claimed.fill([make_group(number, scores=scores) for number in range(2)])
    source = GroupSource(claimed, make_recipe(), STEPS, learned=learned)
    batch = source.take(0)
    assert [taken.credit.totals for taken in batch.groups] == [[0.5, 1.0, 0.5, 1.0]] * 2
    source.learn_weights(batch.groups)
    assert source.mixer().weights["format"] == pytest.approx(0.731, abs=1e-3)
    record = CheckpointRecord(run_id="r", step=1, newest_version=1, reward_weights=learned.state)
    recipe = make_recipe(mixing={"learnable": True})
    resumed = learned_weights(
        recipe, CheckpointRecord.model_validate_json(record.model_dump_json())
    )
    assert resumed.weights() == learned.weights()
    assert learned_weights(make_recipe(), record) is None


def test_truncated_completions_are_masked_only_when_asked(claimed, make_recipe, make_group):
    completions = make_group(0).rollout.completions
    cut = [completions[0].model_copy(update={"finish_reason": "length"}), *completions[1:]]
    claimed.fill([make_group(0, completions=cut), make_group(1)])
    taken = GroupSource(claimed, make_recipe(), STEPS).take(0).groups[0]
    assert [row.is_masked for row in taken.rows(0, mask_truncated=True)] == [True, *[False] * 3]
    assert not any(row.is_masked for row in taken.rows(0, mask_truncated=False))


def test_the_wait_is_shown_while_it_lasts(claimed, make_recipe, make_group):
    claimed.fill([make_group(0)])
    seen: list[bytes] = []

    def come_later():
        while not claimed.client.hexists("plaudit:run:r:waiting", "learner"):
            time.sleep(0.01)
        seen.append(claimed.client.hget("plaudit:run:r:waiting", "learner"))
        claimed.fill([make_group(1)])

    thread = threading.Thread(target=come_later)
    thread.start()
    batch = GroupSource(claimed, make_recipe(), STEPS).take(0)
    thread.join()
    assert b"scored groups" in seen[0]
    assert batch.wait_s > 0
    assert not claimed.client.exists("plaudit:run:r:waiting")


def test_a_wait_in_which_nothing_moves_ends_with_its_name(claimed, make_recipe, make_group):
    claimed.fill([make_group(0)])
    recipe = make_recipe(pipeline={"stall_timeout_s": 0.3})
    with pytest.raises(Stalled, match=r"waits for 2 scored groups and has 1.*stall_timeout_s"):
        GroupSource(claimed, recipe, STEPS).take(0)
    assert not claimed.client.exists("plaudit:run:r:waiting")


def test_engines_that_start_may_take_longer_than_a_run_may_stall(claimed, make_recipe, make_group):
    """A resumed run has groups in flight already while its engines load."""
    claimed.fill([make_group(0)])
    claimed.set_progress({"state": "starting"})
    recipe = make_recipe(pipeline={"stall_timeout_s": 0.2})
    started_s = time.monotonic()
    serves = threading.Timer(0.7, claimed.set_progress, [{"state": "training"}])
    serves.start()
    with pytest.raises(Stalled):
        GroupSource(claimed, recipe, STEPS).take(0)
    serves.join()
    assert time.monotonic() - started_s > 0.7 + 0.2, "the clock starts when the engines serve"


def test_an_endless_row_of_unfit_groups_ends_the_run(claimed, make_recipe, make_group, monkeypatch):
    monkeypatch.setattr(source_module, "MAX_DROPPED_PER_STEP", 2)
    recipe = make_recipe(method={"zero_variance": "replace"})
    claimed.fill([make_group(number, scores=equal_scores(1.0)) for number in range(8)])
    with pytest.raises(Stalled, match=r"zero_variance': 6"):
        GroupSource(claimed, recipe, STEPS).take(0)


def test_a_stop_signal_ends_the_wait(claimed, make_recipe):
    source = GroupSource(claimed, make_recipe(), STEPS, is_stopping=lambda: True)
    with pytest.raises(StopRequested):
        source.take(0)
