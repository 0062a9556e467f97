"""The summary's figures."""

import pytest

from plaudit_trainer.conductor.summary import accuracy_gain, groups_per_s


def test_the_gain_is_paired_by_prompt():
    before = {"a": 0.0, "b": 0.5, "gone": 1.0}
    after = {"a": 0.5, "b": 1.0, "new": 0.0}
    gain, interval, num = accuracy_gain(before, after)
    assert (gain, num) == (0.5, 2)
    assert interval == (0.5, 0.5)


def test_the_interval_widens_with_the_spread_of_gains():
    before = dict.fromkeys("abcd", 0.0)
    after = {"a": 0.0, "b": 1.0, "c": 0.0, "d": 1.0}
    gain, interval, _ = accuracy_gain(before, after)
    assert gain == 0.5
    assert interval == pytest.approx((0.5 - 0.5658, 0.5 + 0.5658), abs=1e-3)


def test_no_prompts_give_no_gain():
    assert accuracy_gain({}, {}) == (None, None, 0)


def test_throughput_leaves_the_first_step_out():
    steps = [{"step": i, "time": 100.0 + 2 * i, "num_groups": 8} for i in range(5)]
    assert groups_per_s(steps) == 4.0
