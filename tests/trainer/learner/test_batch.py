"""Padding: everything that was put in can be read back, and nothing else is unmasked."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.errors import ConfigError
from plaudit_trainer.learner.batch import Row, pad_rows
from plaudit_trainer.learner.feed import share

PAD = 0
IDS = st.integers(1, 99)


@st.composite
def rows(draw):
    completion = draw(st.lists(IDS, max_size=9))
    return Row(
        prompt_ids=draw(st.lists(IDS, min_size=1, max_size=9)),
        completion_ids=completion,
        logprobs=[-float(token) for token in completion],
        reward=draw(st.floats(-3, 3) | st.none()),
        group=draw(st.integers(0, 3)),
        token_rewards=[0.1 * token for token in completion],
        is_masked=draw(st.booleans()),
    )


@given(st.lists(rows(), min_size=1, max_size=6))
def test_rows_survive_padding(batch: list[Row]):
    tensors = pad_rows(batch, PAD)
    assert tensors.prompt_ids_BP.shape[1] == max(len(row.prompt_ids) for row in batch)
    for index, row in enumerate(batch):
        prompt_mask = tensors.prompt_mask_BP[index].bool()
        length = len(row.completion_ids)
        assert tensors.prompt_ids_BP[index, prompt_mask].tolist() == row.prompt_ids
        assert tensors.prompt_ids_BP[index, -1] == row.prompt_ids[-1]
        assert tensors.completion_ids_BC[index, :length].tolist() == row.completion_ids
        assert tensors.logprobs_BC[index, :length].tolist() == row.logprobs
        assert tensors.completion_mask_BC[index].sum() == (0 if row.is_masked else length)
        assert tensors.completion_mask_BC[index, length:].sum() == 0
        assert tensors.token_rewards_BC[index, :length].tolist() == row.token_rewards
        assert tensors.token_rewards_BC[index, length:].sum() == 0
        assert tensors.group_B[index] == row.group
        reward = tensors.rewards_B[index].item()
        assert math.isnan(reward) if row.reward is None else reward == row.reward


def test_completions_are_shared_in_equal_contiguous_parts():
    batch = [Row([1], [n], [0.0], reward=0.0, group=0) for n in range(6)]
    assert [*share(batch, 0, 2), *share(batch, 1, 2)] == batch
    with pytest.raises(ConfigError, match=r"learner\.num_processes = 4"):
        share(batch, 0, 4)
