"""From several rewards to one number: gate, scale, clip, weight."""

import math
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plaudit.mixing import Mixer, Values, normalized
from plaudit.schemas.mixing import Gate, Mixed, Mixing
from plaudit.schemas.recipe import Recipe
from plaudit.schemas.reward import RewardSpec, ScoreRequest

PLAIN = Mixing()


def column(mixed: Sequence[Sequence[Values]], name: str) -> list[list[float | None]]:
    return [[values[name] for values in group] for group in mixed]


def values_of(name: str, *groups: list[float | None]) -> list[list[dict[str, float | None]]]:
    return [[{name: value} for value in group] for group in groups]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"a": 1.0, "b": 3.0}, {"a": 0.25, "b": 0.75}),
        ({"a": 1.0, "b": -3.0}, {"a": 1.0, "b": 0.0}),
        ({"a": 0.0, "b": -3.0}, {"a": 0.0, "b": 0.0}),
        ({"a": 1.0, "discriminator": 0.5}, {"a": 2 / 3, "discriminator": 1 / 3}),
    ],
)
def test_weights_are_normalized_as_grail_does(
    weights: dict[str, float], expected: dict[str, float]
) -> None:
    assert normalized(weights) == pytest.approx(expected)


def test_the_discriminator_weighs_a_half_when_nothing_is_said() -> None:
    assert RewardSpec(name="discriminator").weight == 0.5
    assert RewardSpec(name="discriminator", weight=1.0).weight == 1.0
    assert RewardSpec(name="accuracy").weight == 1.0


def test_without_rules_values_stay_as_they_are() -> None:
    mixer = Mixer.of({"a": Mixed(weight=2.0), "b": Mixed(weight=-1.0)}, PLAIN)
    batch: list[list[Values]] = [
        [{"a": 1.0, "b": None}, {"a": 1.0, "b": 0.5}, {"a": None, "b": None}]
    ]
    assert mixer.is_plain
    assert mixer.mix(batch) == batch
    assert [mixer.total(values) for values in batch[0]] == [2.0, 1.5, None]


def test_a_group_scale_is_the_z_score_of_grpo() -> None:
    mixer = Mixer.of({"a": Mixed(scale="group")}, PLAIN)
    [[low, none, high], [same, too]] = column(
        mixer.mix(values_of("a", [0.0, None, 4.0], [7.0, 7.0])), "a"
    )
    assert (low, none, high) == (pytest.approx(-2 / (math.sqrt(8) + 1e-4)), None, -low)
    assert (same, too) == (0.0, 0.0)


def test_a_batch_scale_is_the_z_score_over_all_groups() -> None:
    mixer = Mixer.of({"a": Mixed(scale="batch")}, PLAIN)
    scaled = column(mixer.mix(values_of("a", [0.0, 1.0], [2.0, 5.0])), "a")
    by = statistics.stdev([0, 1, 2, 5]) + 1e-4
    assert scaled == [pytest.approx([-2 / by, -1 / by]), pytest.approx([0, 3 / by])]


def test_clipping_follows_scaling() -> None:
    mixer = Mixer.of({"a": Mixed(scale="group", clip=(-0.5, 0.5))}, PLAIN)
    assert column(mixer.mix(values_of("a", [0.0, 9.0])), "a") == [[-0.5, 0.5]]


GATED = {"right": Mixed(), "short": Mixed(scale="group", gate=Gate(reward="right", at_least=1.0))}


def test_a_shut_gate_counts_zero_and_an_unknown_one_is_null() -> None:
    group = [{"right": r, "short": s} for r, s in [(1.0, 2.0), (0.0, 9.0), (None, 9.0), (1.0, 4.0)]]
    [found] = column(Mixer.of(GATED, PLAIN).mix([group]), "short")
    by = math.sqrt(2) + 1e-4
    assert found == [pytest.approx(-1 / by), 0.0, None, pytest.approx(1 / by)]


def test_a_null_stays_null_behind_an_open_gate() -> None:
    group = [{"right": 1.0, "short": None}, {"right": 0.0, "short": None}]
    assert column(Mixer.of(GATED, PLAIN).mix([group]), "short") == [[None, 0.0]]


VALUES = st.floats(-100, 100, allow_subnormal=False) | st.none()
BATCHES = st.lists(st.lists(VALUES, min_size=1, max_size=6), min_size=1, max_size=4)


@given(BATCHES, st.sampled_from(["none", "group", "batch"]))
def test_scaling_moves_no_null_and_keeps_the_order(groups: list[list[float | None]], scale) -> None:
    mixed = Mixer.of({"a": Mixed(scale=scale)}, PLAIN).mix(values_of("a", *groups))
    for before, after in zip(groups, column(mixed, "a"), strict=True):
        assert [value is None for value in before] == [value is None for value in after]
        pairs = zip(before, after, strict=True)
        known = sorted((b, a) for b, a in pairs if b is not None and a is not None)
        scaled = [a for _, a in known]
        assert scaled == sorted(scaled)


@given(BATCHES, st.tuples(st.floats(-5, 0), st.floats(0, 5)))
def test_nothing_leaves_the_clip(groups: list[list[float | None]], clip) -> None:
    mixed = Mixer.of({"a": Mixed(scale="group", clip=clip)}, PLAIN).mix(values_of("a", *groups))
    known = [v for group in column(mixed, "a") for v in group if v is not None]
    assert all(clip[0] <= value <= clip[1] for value in known)


REQUEST = {"groups": [{"group_id": "g", "prompt": [], "completions": [{"text": ""}]}]}
GATE = {"reward": "x", "at_least": 1}


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ([{"name": "a", "gate": GATE}], "rewards.0.gate.reward = 'x': not another reward"),
        ([{"name": "x", "gate": GATE}], "rewards.0.gate.reward = 'x': not another reward"),
        ([{"name": "a", "clip": [1, 0]}], "clip = [1.0, 0.0]: the lowest value stands first"),
        ([{"name": "a", "scale": "zscore"}], "'none', 'group' or 'batch'"),
        ([{"name": "a", "weight": "inf"}], "finite number"),
    ],
)
def test_a_request_that_cannot_be_mixed_is_refused(rewards: object, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ScoreRequest.model_validate(REQUEST | {"rewards": rewards})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"rewards": [{"name": "a", "gate": GATE}]}, "the gate of 'a' is 'x': not another reward"),
        (
            {"rewards": [{"name": "x", "kinds": ["math"]}, {"name": "a", "gate": GATE}]},
            "scores kinds ['math'] only and 'a' all",
        ),
        (
            {"rewards": [{"name": "x", "kinds": ["m"]}], "judge": {"kinds": ["c"], "gate": GATE}},
            "scores kinds ['m'] only and 'judge' ['c']",
        ),
    ],
)
def test_a_recipe_whose_gate_is_not_always_known_is_refused(parts: dict, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate({"name": "r", **parts})
    assert message in str(caught.value)


def test_a_judge_may_stand_behind_a_reward() -> None:
    recipe = Recipe.model_validate(
        {"name": "r", "rewards": [{"name": "x"}], "judge": {"gate": GATE}}
    )
    assert list(recipe.mixed()) == ["x", "judge"]
