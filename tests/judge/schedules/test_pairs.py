"""Which pairs are compared."""

import math
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_judge.chance import draw
from plaudit_judge.schedules.pairs import all_pairs, anchor_pairs, ring_pairs, sample_pairs


@settings(deadline=None)
@given(
    st.integers(2, 64),
    st.floats(0.0, 1.0, exclude_min=True),
    st.integers(),
)
def test_a_sample_has_its_size_and_every_item(num_items: int, ratio: float, seed: int) -> None:
    pairs = sample_pairs(num_items, ratio, seed)
    total = math.comb(num_items, 2)
    wanted = math.ceil(ratio * total - 1e-9)
    assert len(pairs) == max(wanted, math.ceil(num_items / 2))
    assert pairs == sorted(set(pairs))
    assert all(0 <= a < b < num_items for a, b in pairs)
    assert {item for pair in pairs for item in pair} == set(range(num_items))


def test_all_pairs_come_in_lexicographic_order() -> None:
    assert sample_pairs(5, 1.0, 0) == all_pairs(5) == list(combinations(range(5), 2))


@pytest.mark.parametrize(("num_items", "expected"), [(0, []), (1, []), (2, [(0, 1)])])
def test_tiny_groups(num_items: int, expected: list[tuple[int, int]]) -> None:
    assert sample_pairs(num_items, 0.1, 0) == expected


def test_a_ratio_is_not_rounded_up_by_floating_point() -> None:
    assert len(sample_pairs(5, 0.7, 0)) == 7
    assert len(sample_pairs(10, 0.2, 0)) == 9
    assert len(sample_pairs(25, 0.07, 0)) == 21


def test_the_seed_decides_and_nothing_else() -> None:
    assert sample_pairs(8, 0.5, 7) == sample_pairs(8, 0.5, 7)
    assert len({tuple(sample_pairs(8, 0.5, seed)) for seed in range(20)}) == 20


def test_over_many_seeds_every_pair_is_drawn_alike() -> None:
    counts = Counter(pair for seed in range(2000) for pair in sample_pairs(6, 0.4, seed))
    assert len(counts) == 15
    assert all(abs(count - 800) < 120 for count in counts.values())


def test_draws_are_pinned_and_told_apart() -> None:
    assert draw(0, "pair", 1, 2) == 1612204649637507685
    assert draw("ab", "c") != draw("a", "bc")


@given(st.integers(3, 64), st.integers())
def test_a_ring_has_every_item_in_two_pairs_and_holds_together(num_items: int, seed: int) -> None:
    pairs = ring_pairs(num_items, seed)
    assert len(pairs) == num_items
    assert pairs == sorted(set(pairs))
    assert set(Counter(item for pair in pairs for item in pair).values()) == {2}
    reached = {0}
    for _ in range(num_items):
        reached |= {item for pair in pairs if reached & {*pair} for item in pair}
    assert reached == set(range(num_items))


@pytest.mark.parametrize(("num_items", "expected"), [(1, []), (2, [(0, 1)])])
def test_tiny_rings(num_items: int, expected: list[tuple[int, int]]) -> None:
    assert ring_pairs(num_items, 0) == expected


def test_everybody_meets_the_anchor_and_nobody_else() -> None:
    assert anchor_pairs(4, 1) == [(0, 1), (2, 1), (3, 1)]
    assert anchor_pairs(1, 0) == []
