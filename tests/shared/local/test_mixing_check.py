"""What a dry run says of how rewards are put together."""

from plaudit.local.preflight import check_mixing
from plaudit.schemas.recipe import Recipe


def test_every_part_is_told_with_the_weight_that_counts() -> None:
    gate = {"reward": "accuracy", "at_least": 1.0}
    recipe = Recipe.model_validate(
        {
            "name": "r",
            "rewards": [
                {"name": "accuracy"},
                {"name": "length", "weight": 0.5, "gate": gate, "scale": "group", "clip": [-2, 2]},
            ],
            "judge": {"weight": 0.5},
            "mixing": {"normalize_weights": True, "learnable": True},
        }
    )
    assert check_mixing(recipe).detail == (
        "0.5 x accuracy, 0.25 x length if accuracy >= 1 z-score over the group "
        "clipped to [-2, 2], 0.25 x judge; learned from there"
    )
