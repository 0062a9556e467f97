"""How texts of many lengths become batches."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from plaudit_reward.models.batches import (
    FREE_TOKENS,
    MAX_BATCH_TEXTS,
    MAX_PADDING_SHARE,
    cut_into_batches,
)

LENGTHS = st.lists(st.integers(0, 300), max_size=60)


def test_like_lengths_go_together() -> None:
    assert cut_into_batches([10, 1, 9, 2], 20) == [[1, 3], [2, 0]]


def test_a_text_over_the_budget_is_a_batch_of_its_own() -> None:
    assert cut_into_batches([50, 3, 3], 10) == [[1, 2], [0]]


def test_no_batch_grows_without_end() -> None:
    batches = cut_into_batches([9] * 1000, 10**9)
    assert max(map(len, batches)) == MAX_BATCH_TEXTS


@given(LENGTHS, st.integers(1, 1000))
def test_each_text_is_in_one_batch_within_the_budget(lengths, max_batch_tokens) -> None:
    batches = cut_into_batches(lengths, max_batch_tokens)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) == 1 or padded <= max_batch_tokens


@given(LENGTHS, st.integers(1, 20_000))
def test_large_batches_are_mostly_text(lengths, max_batch_tokens) -> None:
    for batch in cut_into_batches(lengths, max_batch_tokens):
        texts = [max(1, lengths[index]) for index in batch]
        padded = len(texts) * max(texts)
        assert padded <= FREE_TOKENS or sum(texts) >= (1 - MAX_PADDING_SHARE) * padded


@given(LENGTHS, st.integers(1, 20_000))
def test_no_text_would_have_fitted_into_the_batch_before(lengths, max_batch_tokens) -> None:
    for before, batch in pairwise(cut_into_batches(lengths, max_batch_tokens)):
        texts = [max(1, lengths[index]) for index in [*before, batch[0]]]
        padded = len(texts) * texts[-1]
        too_large = padded > max_batch_tokens or len(texts) > MAX_BATCH_TEXTS
        too_padded = sum(texts) < (1 - MAX_PADDING_SHARE) * padded
        assert too_large or (too_padded and padded > FREE_TOKENS)
