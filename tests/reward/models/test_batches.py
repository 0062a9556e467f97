"""How texts of many lengths become batches."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from plaudit_reward.models.batches import MAX_BATCH_TEXTS, cut_into_batches

LENGTHS = st.lists(st.integers(0, 300), max_size=60)


def test_like_lengths_go_together() -> None:
    assert cut_into_batches([10, 1, 9, 2], 20) == [[1, 3], [2, 0]]


def test_a_text_over_the_budget_is_a_batch_of_its_own() -> None:
    assert cut_into_batches([50, 3, 3], 10) == [[1, 2], [0]]


def test_no_batch_grows_without_end() -> None:
    batches = cut_into_batches([1] * 1000, 10**9)
    assert max(map(len, batches)) == MAX_BATCH_TEXTS


@given(LENGTHS, st.integers(1, 1000))
def test_each_text_is_in_one_batch_within_the_budget(lengths, max_batch_tokens) -> None:
    batches = cut_into_batches(lengths, max_batch_tokens)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) == 1 or padded <= max_batch_tokens


@given(LENGTHS, st.integers(1, 1000))
def test_no_two_batches_would_fit_into_one(lengths, max_batch_tokens) -> None:
    batches = cut_into_batches(lengths, max_batch_tokens)
    for first, second in pairwise(batches):
        shortest = lengths[second[0]]
        assert (len(first) + 1) * max(1, shortest) > max_batch_tokens
