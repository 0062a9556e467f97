"""Credit within a group: fair, masked where it cannot be compared."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit.mixing import Mixer, Values
from plaudit.schemas.reward import CompletionScore
from plaudit_trainer.learner.credit import MIN_COMPARABLE, assign_credit, assign_credits, means

WEIGHTS = {"accuracy": 1.0, "format": 0.5}
VALUES = st.floats(-10, 10, allow_subnormal=False) | st.none()
GROUPS = st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=8)


def scores(*columns: tuple[float | None, float | None]) -> list[Values]:
    return [{"accuracy": a, "format": f} for a, f in columns]


def test_advantages_are_those_of_trl():
    credit = assign_credit(scores((1, 0), (0, 1), (1, 1), (0, 0)), WEIGHTS, "group")
    totals = torch.tensor([1.0, 0.5, 1.5, 0.0])
    expected = (totals - totals.mean()) / (totals.std() + 1e-4)
    assert credit.advantages == pytest.approx(expected.tolist(), abs=1e-6)


def test_unscaled_advantages_are_distances_from_the_mean():
    credit = assign_credit(scores((1, 0), (0, 0)), WEIGHTS, "none")
    assert credit.advantages == [0.5, -0.5]


def test_a_reward_that_is_missing_for_all_is_left_out():
    credit = assign_credit(scores((1, None), (0, None), (1, None)), WEIGHTS, "none")
    assert credit.totals == [1.0, 0.0, 1.0]


def test_a_completion_that_lacks_a_reward_of_the_others_is_masked():
    credit = assign_credit(scores((1, 0), (0, None), (0, 0)), WEIGHTS, "none")
    assert credit.totals == [1.0, None, 0.0]
    assert credit.advantages == [0.5, 0.0, -0.5]


def test_a_missing_reward_is_never_read_as_zero():
    with_zero = assign_credit(scores((1, 1), (1, 0), (0, 0)), WEIGHTS, "none")
    with_null = assign_credit(scores((1, 1), (1, None), (0, 0)), WEIGHTS, "none")
    assert with_zero.advantages[0] == pytest.approx(1.5 - 2.5 / 3)
    assert with_null.advantages == [0.75, 0.0, -0.75]


def test_one_comparable_completion_is_no_group():
    assert assign_credit(scores((1, 1), (None, 1), (0, None)), WEIGHTS, "group") is None


def test_a_group_without_any_reward_is_no_group():
    assert assign_credit(scores((None, None), (None, None)), WEIGHTS, "group") is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])
def test_a_reward_that_is_no_sane_number_counts_as_missing(make_recipe, make_group, bad: float):
    [credit] = credits_of(make_recipe(), make_group, [bad, 1.0, 0.0, 0.0])
    assert credit.totals == [None, 1.5, 0.5, 0.5]


def test_rewards_that_the_recipe_does_not_weigh_are_not_counted(make_recipe, make_group):
    [credit] = credits_of(make_recipe(), make_group, [0.0, 1.0, 0.0, 0.0], extra=9.0)
    assert credit.totals == [0.5, 1.5, 0.5, 0.5]


def credits_of(recipe, make_group, *columns, **others):
    """Groups with these values of `accuracy`, and 1 for `format`."""
    groups = [
        make_group(number, scores=[scored(accuracy=a, format=1.0, **others) for a in column])
        for number, column in enumerate(columns)
    ]
    return assign_credits(groups, Mixer.of(recipe.mixed(), recipe.mixing), recipe.method)


def scored(**rewards: float | None) -> CompletionScore:
    return CompletionScore.model_construct(total=123.0, rewards=rewards, errors={})


def test_what_scaling_changes_is_trained_on_and_what_it_was_is_shown(make_recipe, make_group):
    rewards = [{"name": "accuracy", "scale": "group", "clip": [-1.0, 0.5]}]
    recipe = make_recipe(rewards=rewards, method={"scale_rewards": "none"})
    [credit] = credits_of(recipe, make_group, [4.0, 0.0, 0.0, 0.0])
    assert credit.totals == pytest.approx([0.5, -0.49998, -0.49998, -0.49998], abs=1e-4)
    assert credit.rewards == [4.0, 0.0, 0.0, 0.0]
    assert means([credit]) == {"accuracy": pytest.approx(-0.25, abs=1e-3)}


def test_a_scale_over_the_batch_is_one_for_all_groups_of_the_step(make_recipe, make_group):
    rewards = [{"name": "accuracy", "scale": "batch"}]
    recipe = make_recipe(rewards=rewards, method={"scale_rewards": "none"})
    small, large = credits_of(recipe, make_group, [0.0, 1.0, 0.0, 1.0], [0.0, 9.0, 0.0, 9.0])
    assert large.advantages[1] == pytest.approx(9 * small.advantages[1])


def test_a_null_behind_a_gate_masks_the_completion(make_recipe, make_group):
    gate = {"reward": "accuracy", "at_least": 1.0}
    recipe = make_recipe(
        rewards=[{"name": "accuracy", "weight": 0.0}, {"name": "format", "gate": gate}]
    )
    [credit] = credits_of(recipe, make_group, [1.0, 0.0, None, 1.0])
    assert credit.totals == [1.0, 0.0, None, 1.0]


def test_equal_totals_have_zero_variance():
    assert assign_credit(scores((1, 0), (0.5, 1)), WEIGHTS, "group").has_zero_variance
    assert not assign_credit(scores((1, 0), (0, 1)), WEIGHTS, "group").has_zero_variance


@given(GROUPS)
def test_advantages_sum_to_zero_and_masked_ones_are_zero(group):
    credit = assign_credit(scores(*group), WEIGHTS, "group")
    if credit is None:
        return
    assert sum(credit.advantages) == pytest.approx(0.0, abs=1e-6)
    assert all(a == 0.0 for a, t in zip(credit.advantages, credit.totals, strict=True) if t is None)
    assert sum(total is not None for total in credit.totals) >= MIN_COMPARABLE


@given(GROUPS, st.floats(-5, 5))
def test_a_constant_added_to_a_reward_changes_no_advantage(group, shift):
    moved = [(a if a is None else a + shift, f) for a, f in group]
    before = assign_credit(scores(*group), WEIGHTS, "none")
    after = assign_credit(scores(*moved), WEIGHTS, "none")
    assert (before is None) == (after is None)
    if before is not None:
        assert after.advantages == pytest.approx(before.advantages, abs=1e-6)


@given(GROUPS)
def test_what_a_masked_completion_got_does_not_matter(group):
    credit = assign_credit(scores(*group), WEIGHTS, "group")
    if credit is None or all(total is not None for total in credit.totals):
        return
    kept = [pair for pair, total in zip(group, credit.totals, strict=True) if total is not None]
    alone = assign_credit(scores(*kept), WEIGHTS, "group")
    unmasked = [a for a, t in zip(credit.advantages, credit.totals, strict=True) if t is not None]
    assert alone.advantages == pytest.approx(unmasked)


def test_the_judge_is_weighed_beside_the_rewards(make_recipe):
    recipe = make_recipe(judge={"judge": "self", "weight": 0.3})
    weights = Mixer.of(recipe.mixed(), recipe.mixing).weights
    assert weights == {"accuracy": 1.0, "format": 0.5, "judge": 0.3}
