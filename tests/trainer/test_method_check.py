"""What DRCA and GRAIL need of a recipe's rewards."""

import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.method_check import check_method


def recipe(name, *rewards, method=None, **parts):
    used = [one if isinstance(one, dict) else {"name": one} for one in rewards]
    document = {"name": "r", "rewards": used, "method": {"name": name, **(method or {})}, **parts}
    return Recipe.model_validate(document)


ALONE = {"name": "reward_model", "clip": [0.0, 1.0], "weight": 2.0}
ON_GROUPS = ["voting", "efficient", "length", "group_intrinsic", "completion_intrinsic"]


def test_rewards_of_one_completion_suit_drca():
    check_method(recipe("drca", ALONE, "accuracy", "/dir/my.py:f"))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        *[(recipe("drca", "accuracy", n), f"rewards.1.name = '{n}' compares") for n in ON_GROUPS],
        (recipe("drca", "repetition_dense"), "rewards.0.name = 'repetition_dense' needs the tok"),
        (recipe("drca", "unit_reward_model"), "'unit_reward_model' needs the tokens"),
        (recipe("drca", {"name": "accuracy", "scale": "group"}), "rewards.0.scale = 'group'"),
        (recipe("drca", "accuracy", judge={}), "[judge] compares completions"),
        (recipe("drca", "accuracy", mixing={"learnable": True}), "mixing.learnable"),
    ],
)
def test_what_says_something_else_of_a_text_alone_does_not(made, said):
    with pytest.raises(ConfigError) as caught:
        check_method(made)
    assert said in str(caught.value) and "take another method" in str(caught.value)


def test_other_methods_may_use_them():
    check_method(recipe("grpo", "voting", judge={}))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (recipe("grail", "accuracy"), "rewards has no 'discriminator'"),
        (
            recipe("grail", "discriminator", method={"discriminator": {"model": "critic"}}),
            "method.discriminator.model = 'critic' is what learns, .* scores by 'default'",
        ),
    ],
)
def test_grail_teaches_the_discriminator_that_scores(made, said):
    with pytest.raises(ConfigError, match=said):
        check_method(made)


def test_grail_with_its_discriminator_is_right():
    check_method(recipe("grail", "accuracy", "discriminator"))
    named = {"name": "discriminator", "params": {"model": "critic"}}
    check_method(recipe("grail", named, method={"discriminator": {"model": "critic"}}))
