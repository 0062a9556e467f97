"""Segments, normalised and spread: the published vectors, and what always holds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.segments import (
    LocationNorm,
    normalized,
    segment_ends,
    spread_over_tokens,
    text_reward,
)

PHI_3 = LocationNorm(0.7668, 0.2569, 0.4705, 2.8339)
REWARDS, ENDS = [1.0, 2.0, 0.5], [2, 8, 12]
"""Segments of 3, 6 and 4 tokens."""

ENTROPIES = st.lists(st.floats(0, 12), min_size=1, max_size=40)
SIZES = st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 6)), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("entropies", "cutoff", "eos", "ends"),
    [
        ([0.1, 2.0, 0.1, 1.9, 0.1, 0.1], 1.75, True, [1, 3, 4]),
        ([0.1, 2.0, 0.1, 1.9, 0.1, 0.1], 1.75, False, [1, 3, 5]),
        # An end at EOS moves to the token before it; where that one is an end, there is one end.
        ([0.1, 2.0, 0.1, 9.0], 1.75, True, [1, 2]),
        ([0.1, 2.0, 3.0, 9.0], 1.75, True, [1, 2]),
        ([0.1, 2.0, 3.0, 9.0], 1.75, False, [1, 2, 3]),
        ([1.0, 1.0, 1.0, 1.0], 0.0, True, [0, 1, 2]),
        ([9.0, 9.0, 9.0, 9.0], 1000.0, True, [2]),
        ([1.75, 1.75, 0.0], 1.75, False, [2]),
        ([9.0], 1.0, False, [0]),
        ([9.0], 1.0, True, []),
    ],
)
def test_a_segment_ends_where_the_next_token_is_uncertain(entropies, cutoff, eos, ends) -> None:
    assert segment_ends(entropies, cutoff, ends_with_eos=eos) == ends


@given(ENTROPIES, st.floats(0, 12), st.booleans())
def test_ends_rise_to_the_last_token_before_eos(entropies, cutoff, eos) -> None:
    ends = segment_ends(entropies, cutoff, ends_with_eos=eos)
    assert ends == sorted(set(ends))
    assert ends[-1:] == ([len(entropies) - 1 - eos] if len(entropies) > eos else [])
    lower = segment_ends(entropies, cutoff / 2, ends_with_eos=eos)
    assert set(ends) <= set(lower)


def test_the_published_vector() -> None:
    values = normalized(REWARDS, PHI_3)
    assert values == pytest.approx([0.5377, 0.6742, 0.0104], abs=5e-5)
    tokens = spread_over_tokens(values, ENDS, 13, "segment_normalization")
    expected = [0.17922] * 3 + [0.11237] * 6 + [0.0026] * 4
    assert tokens == pytest.approx(expected, abs=5e-6)


def test_the_std_never_falls_to_zero() -> None:
    token_level = LocationNorm(1.7340, 0.9906, 1.3212, 5.4513)
    assert token_level.std(1.0) == 5.4513
    # Below p = .0041 the fitted line is negative, which would turn the sign of every reward.
    assert token_level.std(1 / 1000) == pytest.approx(5.4513e-3)
    assert LocationNorm(0, 1, 0, 0).std(0.5) == 1e-8


def test_before_the_earliest_place_of_the_fit_the_lines_go_on_level() -> None:
    """Fitted at a third and later: at a fifth, the std of the line alone is below 0."""
    norm = LocationNorm(3.0, 2.9, 0.0, 4.1, p_min=1 / 3)
    at_third = (norm.mean(1 / 3), norm.std(1 / 3))
    assert (norm.mean(0.2), norm.std(0.2)) == at_third
    assert norm.std(1 / 3) > 0.9
    assert norm.std(0.5) > norm.std(1 / 3)


@pytest.mark.parametrize(
    ("norm", "mean", "std"),
    [
        (PHI_3, -0.06100, 2.65583),
        (LocationNorm(0.8967, 0.5680, 0.8572, 4.1667), 0.23565, 3.77299),
        (LocationNorm(0.8345, 0.4780, 0.8798, 3.7358), 0.30137, 3.40448),
    ],
)
def test_the_published_parameters_at_half_the_text(norm, mean, std) -> None:
    assert (norm.mean(0.5), norm.std(0.5)) == pytest.approx((mean, std), abs=1e-5)


def test_without_parameters_nothing_changes() -> None:
    assert normalized(REWARDS, LocationNorm()) == REWARDS


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("segment_normalization", [0.5, 0.5, 1.0, 1.0, 1.0, 0.0]),
        ("same_segment_last", [1.0, 1.0, 3.0, 3.0, 3.0, 0.0]),
        ("every_segment_last", [0.0, 1.0, 0.0, 0.0, 3.0, 0.0]),
    ],
)
def test_forms_of_segments(form, expected) -> None:
    """Two segments of 2 and 3 tokens, and EOS, which gets nothing."""
    assert spread_over_tokens([1.0, 3.0], [1, 4], 6, form) == pytest.approx(expected)


@given(SIZES, st.booleans())
def test_what_is_spread_adds_up(segments, eos) -> None:
    """segment_normalization and every_segment_last keep each segment's reward; the value of the
    text is the mean over segments."""
    rewards = [reward for reward, _ in segments]
    ends, position = [], -1
    for _, size in segments:
        position += size
        ends.append(position)
    num_tokens = position + 1 + eos
    for form in ("segment_normalization", "every_segment_last"):
        tokens = spread_over_tokens(rewards, ends, num_tokens, form)
        assert len(tokens) == num_tokens
        assert not eos or tokens[-1] == 0.0
        starts = [0, *(end + 1 for end in ends)]
        sums = [math.fsum(tokens[a : b + 1]) for a, b in zip(starts, ends, strict=False)]
        assert sums == pytest.approx(rewards, abs=1e-9)
    assert text_reward(rewards, form) == pytest.approx(math.fsum(rewards) / len(rewards))
