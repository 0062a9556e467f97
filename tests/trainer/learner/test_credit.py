"""Credit within a group: fair, masked where it cannot be compared."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.errors import ConfigError
from plaudit.mixing import Mixer
from plaudit.schemas.reward import CompletionScore
from plaudit_trainer.learner.credit import assign_credits, comparable_totals, means

WEIGHTS = {"accuracy": 1.0, "format": 0.5}
VALUES = st.floats(-10, 10, allow_subnormal=False) | st.none()
GROUPS = st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=8)
TOKEN_REWARD = {"rewards": [{"name": "accuracy"}, {"name": "unit_reward_model", "weight": 0.5}]}


def totals(*columns: tuple[float | None, float | None]) -> list[float | None]:
    return comparable_totals([{"accuracy": a, "format": f} for a, f in columns], WEIGHTS)


def test_a_reward_that_is_missing_for_all_is_left_out():
    assert totals((1, None), (0, None), (1, None)) == [1.0, 0.0, 1.0]


def test_a_completion_that_lacks_a_reward_of_the_others_has_no_total():
    assert totals((1, 0), (0, None), (0, 0)) == [1.0, None, 0.0]


def test_a_group_without_any_reward_has_no_totals():
    assert totals((None, None), (None, None)) == [None, None]


@given(GROUPS)
def test_a_total_is_the_weighted_sum_of_what_all_others_have_too(group):
    known = [index for index in range(2) if any(pair[index] is not None for pair in group)]
    for total, pair in zip(totals(*group), group, strict=True):
        values = [pair[index] for index in known]
        if not known or None in values:
            assert total is None
        else:
            weights = [WEIGHTS[name] for name in ("accuracy", "format")]
            assert total == pytest.approx(sum(weights[i] * pair[i] for i in known))


@pytest.mark.parametrize(("method", "is_trained"), [("grpo", False), ("ppo", True)])
def test_one_comparable_completion_is_no_group_where_completions_are_compared(
    make_recipe, make_group, method, is_trained
):
    recipe = make_recipe(method={"name": method})
    [credit] = credits_of(recipe, make_group, [1.0, None, None, None])
    assert (credit is not None) == is_trained


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
    return CompletionScore.model_construct(total=123.0, rewards=rewards)


def test_what_scaling_changes_is_trained_on_and_what_it_was_is_shown(make_recipe, make_group):
    rewards = [{"name": "accuracy", "scale": "group", "clip": [-1.0, 0.5]}]
    recipe = make_recipe(rewards=rewards, method={"scale_rewards": "none"})
    [credit] = credits_of(recipe, make_group, [4.0, 0.0, 0.0, 0.0])
    assert credit.totals == pytest.approx([0.5, -0.49998, -0.49998, -0.49998], abs=1e-4)
    assert credit.rewards == [4.0, 0.0, 0.0, 0.0]
    assert means([credit]) == {"accuracy": pytest.approx(-0.25, abs=1e-3)}


def test_a_scale_over_the_batch_is_one_for_all_groups_of_the_step(make_recipe, make_group):
    rewards = [{"name": "accuracy", "scale": "batch"}]
    recipe = make_recipe(rewards=rewards)
    small, large = credits_of(recipe, make_group, [0.0, 1.0, 0.0, 1.0], [0.0, 9.0, 0.0, 9.0])
    assert large.totals[1] - large.totals[0] == pytest.approx(
        9 * (small.totals[1] - small.totals[0])
    )


def test_a_null_behind_a_gate_masks_the_completion(make_recipe, make_group):
    gate = {"reward": "accuracy", "at_least": 1.0}
    recipe = make_recipe(
        rewards=[{"name": "accuracy", "weight": 0.0}, {"name": "format", "gate": gate}]
    )
    [credit] = credits_of(recipe, make_group, [1.0, 0.0, None, 1.0])
    assert credit.totals == [1.0, 0.0, None, 1.0]


def test_equal_totals_have_zero_variance(make_recipe, make_group):
    flat, other = credits_of(make_recipe(), make_group, [1.0] * 4, [0.0, 1.0, 0.0, 1.0])
    assert flat.has_zero_variance
    assert not other.has_zero_variance


def test_a_reward_per_token_counts_there_and_not_in_the_total(make_recipe, make_group):
    recipe = make_recipe(method={"name": "ppo"}, **TOKEN_REWARD)
    [credit] = token_credits(recipe, make_group, accuracy=1.0, tokens=2.0)
    assert credit.totals == [1.0] * 4
    assert [set(tokens) for tokens in credit.token_rewards] == [{1.0}] * 4
    lengths = [len(c.token_ids) for c in make_group(0).rollout.completions]
    assert [len(tokens) for tokens in credit.token_rewards] == lengths
    assert credit.rewards == [1.0 + 0.5 * 7.0] * 4, "what it is worth as a whole is shown"


def test_methods_that_compare_completions_take_its_value_for_the_whole(make_recipe, make_group):
    [credit] = token_credits(make_recipe(**TOKEN_REWARD), make_group, accuracy=1.0, tokens=2.0)
    assert credit.totals == [1.0 + 0.5 * 7.0] * 4
    assert credit.token_rewards == []


def test_a_shut_gate_takes_the_reward_from_every_token(make_recipe, make_group):
    gate = {"reward": "accuracy", "at_least": 1.0}
    rewards = [{"name": "accuracy"}, {"name": "unit_reward_model", "gate": gate}]
    recipe = make_recipe(method={"name": "ppo"}, rewards=rewards)
    [credit] = token_credits(recipe, make_group, accuracy=0.0, tokens=2.0)
    assert all(set(tokens) == {0.0} for tokens in credit.token_rewards)


def test_a_completion_without_sane_rewards_per_token_is_masked(make_recipe, make_group):
    recipe = make_recipe(method={"name": "ppo"}, **TOKEN_REWARD)
    for bad in ([], [math.nan], None):
        [credit] = token_credits(recipe, make_group, accuracy=1.0, tokens=2.0, first=bad)
        assert credit.totals == [None, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("rule", [{"scale": "group"}, {"clip": [-1.0, 1.0]}])
def test_rewards_per_token_are_neither_scaled_nor_clipped(make_recipe, make_group, rule):
    rewards = [{"name": "accuracy"}, {"name": "unit_reward_model", **rule}]
    recipe = make_recipe(method={"name": "unit_ppo"}, rewards=rewards)
    with pytest.raises(ConfigError, match="'unit_reward_model' gives rewards per token"):
        token_credits(recipe, make_group, accuracy=1.0, tokens=2.0)


def test_unit_ppo_needs_a_reward_per_token(make_recipe, make_group):
    recipe = make_recipe(method={"name": "unit_ppo"})
    with pytest.raises(ConfigError, match=r"none of the rewards .* per token"):
        credits_of(recipe, make_group, [1.0, 0.0, 0.0, 1.0])
    [missing] = credits_of(recipe, make_group, [None, 0.0, 0.0, 1.0])
    assert missing is not None, "one that is away may have had some"


def token_credits(recipe, make_group, *, accuracy, tokens, **first):
    """Every token gets `tokens` of `unit_reward_model`; the first completion's are `first`."""
    group = make_group(0)
    scores = []
    for index, completion in enumerate(group.rollout.completions):
        given = first.get("first") if first and index == 0 else [tokens] * len(completion.token_ids)
        scores.append(
            CompletionScore.model_construct(
                total=None,
                rewards={"accuracy": accuracy, "unit_reward_model": 7.0},
                token_rewards={} if given is None else {"unit_reward_model": given},
            )
        )
    group = group.model_copy(update={"scores": scores})
    return assign_credits([group], Mixer.of(recipe.mixed(), recipe.mixing), recipe.method)


def test_the_judge_is_weighed_beside_the_rewards(make_recipe):
    recipe = make_recipe(judge={"judge": "self", "weight": 0.3})
    weights = Mixer.of(recipe.mixed(), recipe.mixing).weights
    assert weights == {"accuracy": 1.0, "format": 0.5, "judge": 0.3}
