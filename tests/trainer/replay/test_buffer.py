"""The replay buffer keeps one group a prompt, within its bounds, and draws what it is told to."""

import json
import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.errors import Corrupt
from plaudit.schemas.common import Message
from plaudit.schemas.recipe.replay import ReplayRecipe
from plaudit.schemas.rollout import RolloutGroup
from plaudit.schemas.run import ReadyGroup
from plaudit_trainer.replay import ReplayBuffer
from plaudit_trainer.replay.item import uid_of


def group(text: str, number: int = 0) -> ReadyGroup:
    rollout = RolloutGroup(
        run_id="r", group_id=f"0/{number}/0", prompt=[Message(role="user", content=text)],
        prompt_token_ids=[1], reference={}, completions=[], replica_id="x",
    )  # fmt: skip
    return ReadyGroup(
        group_id=f"0/{number}/0", kind="k", rollout=rollout, scores=[], admitted_at=0, ready_at=0
    )


def buffer(**options: object) -> ReplayBuffer:
    return ReplayBuffer(ReplayRecipe.model_validate({"groups_per_step": 1, **options}), seed=0)


def texts(items) -> list[str]:
    return [item.group.rollout.prompt[0].content for item in items]


def filled(rewards: dict[str, float], **options: object) -> ReplayBuffer:
    made = buffer(**options)
    for text, reward in rewards.items():
        made.add(group(text), reward, priority=reward, step=0)
    return made


def test_prompts_that_differ_in_white_space_only_are_the_same():
    first = uid_of([Message(role="user", content=" a  b\n")], [])
    assert first == uid_of([Message(role="user", content="a b")], [])
    assert first != uid_of([Message(role="system", content="a b")], [])
    assert uid_of([], [1, 2]) != uid_of([], [12])


def test_a_prompt_that_comes_again_keeps_its_newest_group_and_all_its_rewards():
    made = buffer()
    rewards = [0.25, 1.0, 0.5]
    for number, reward in enumerate(rewards):
        assert made.add(group("a", number), reward, priority=0.0, step=number)
    [item] = made
    assert (item.group.group_id, item.step, item.count) == ("0/2/0", 2, 3)
    assert item.mean == pytest.approx(statistics.fmean(rewards))
    assert item.m2 / 2 == pytest.approx(statistics.variance(rewards))


def test_a_full_buffer_gives_up_the_worst_for_a_better_one_only():
    made = filled({"a": 0.5, "b": 0.2}, capacity=2)
    assert not made.add(group("c"), 0.2, priority=1.0, step=0)
    assert made.add(group("d"), 0.3, priority=1.0, step=0)
    assert texts(made) == ["a", "d"]
    assert made.add(group("c"), 0.9, priority=1.0, step=0), "refused once is not refused for ever"


def test_bytes_are_bounded_and_a_group_over_the_bound_is_refused():
    made = buffer(max_bytes=2**16)
    for number in range(9):
        made.add(group(f"{number}" * 10_000), reward=float(number), priority=1.0, step=0)
        assert made.num_bytes == sum(len(one.group.model_dump_json()) for one in made) <= 2**16
    assert len(made) == 6
    assert not made.add(group("x" * 70_000), 99.0, priority=1.0, step=0)
    assert len(made) == 6, "nothing left for what did not come in"


def test_nothing_is_drawn_before_there_is_enough():
    made = filled({"a": 1.0}, groups_per_step=2)
    assert made.draw(1) == []


def test_what_is_too_old_leaves():
    made = buffer(max_age_steps=5)
    made.add(group("old"), 1.0, priority=1.0, step=1)
    made.add(group("new"), 1.0, priority=1.0, step=3)
    assert texts(made.draw(7)) == ["new"]
    assert texts(made) == ["new"]


def test_uniform_draws_different_prompts_each_as_often_as_the_others():
    made = filled(dict.fromkeys("abcde", 1.0), groups_per_step=2, max_age_steps=10_000)
    drawn = [texts(made.draw(step)) for step in range(2000)]
    assert all(len({*pair}) == 2 for pair in drawn)
    counts = Counter(text for pair in drawn for text in pair)
    assert all(count == pytest.approx(800, rel=0.1) for count in counts.values())


def test_priority_draws_in_proportion_and_never_what_taught_nothing():
    rewards = {"a": 3.0, "b": 1.0, "c": 0.0}
    made = filled(rewards, strategy="priority", max_age_steps=10_000)
    counts = Counter(text for step in range(4000) for text in texts(made.draw(step)))
    assert counts["a"] / counts["b"] == pytest.approx(3.0, rel=0.15)
    assert counts["c"] == 0


def test_ucb_prefers_high_rewards_and_what_was_seldom_tried():
    made = filled({"a": 1.0, "b": 0.8}, strategy="ucb", ucb_c=1.0)
    assert texts(made.draw(1)) == ["a"]
    for _ in range(20):
        made.trained_again(group("a"), 1.0, priority=1.0)
    assert texts(made.draw(1)) == ["b"]
    greedy = filled({"a": 1.0, "b": 0.8}, strategy="ucb", ucb_c=0.0)
    assert texts(greedy.draw(1)) == ["a"]


def test_what_was_written_draws_the_same(tmp_path):
    made = filled(dict.fromkeys("abcdef", 0.5), groups_per_step=3)
    made.write(tmp_path)
    read = buffer(groups_per_step=3)
    read.read(tmp_path)
    assert [one.model_dump() for one in read] == [one.model_dump() for one in made]
    assert read.num_bytes == made.num_bytes
    assert texts(read.draw(9)) == texts(made.draw(9))


def test_a_spoilt_file_is_named(tmp_path):
    (tmp_path / "replay.jsonl").write_text(json.dumps({"uid": "a"}) + "\n")
    with pytest.raises(Corrupt, match=r"replay\.jsonl"):
        buffer().read(tmp_path)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 1)), max_size=60),
    st.integers(1, 5),
)
def test_no_bound_is_ever_passed(added, capacity):
    made = buffer(capacity=capacity)
    best: dict[str, float] = {}
    for text, reward in added:
        made.add(group(text), reward, priority=reward, step=0)
        best[text] = reward
        assert len(made) <= capacity
        assert len({one.uid for one in made}) == len(made)
        assert made.num_bytes == sum(one.num_bytes for one in made)
