"""Running moments are those of all values together."""

import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit_trainer.learner.advantage.rewards import RunningMoments

STEPS = st.lists(st.lists(st.floats(-100, 100), max_size=5), min_size=1, max_size=5)


@given(STEPS)
def test_they_are_those_of_all_values_together(steps):
    moments = RunningMoments()
    for values in steps:
        moments = moments.with_values(torch.tensor([*values, float("nan")], dtype=torch.float64))
    together = [value for values in steps for value in values]
    assert moments.count == len(together)
    if together:
        assert moments.mean == pytest.approx(statistics.fmean(together), abs=1e-9)
        assert moments.std == pytest.approx(max(1e-8, statistics.pstdev(together)), abs=1e-6)
