"""Rules that make no sense together are refused, and the message says what to do."""

from typing import Any

import pytest
from pydantic import ValidationError

from plaudit.schemas.judge import TournamentRequest, TournamentRules
from plaudit.schemas.recipe import JudgeRecipe


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"pair_ratio": 0.5}, "pair_ratio = 0.5 has no effect with schedule = 'all_pairs'; leave"),
        ({"swiss_rounds": 3}, "choose schedule = 'swiss'"),
        ({"goal": "top"}, "choose schedule = 'adaptive'"),
        ({"max_comparisons": 3, "schedule": "swiss"}, "max_comparisons = 3 has no effect"),
        ({"confidence": 0.9}, "confidence = 0.9 has no effect"),
        ({"max_rounds": 9}, "max_rounds = 9 has no effect"),
        ({"elo_k": 32.0, "rating": "win_rate"}, "elo_k = 32.0 has no effect with rating = 'win"),
        ({"bt_prior": 1.0}, "choose rating = 'bradley_terry' or 'bt_weighted'"),
        ({"reward_max": 1.0, "reward_form": "z_score"}, "choose reward_form = 'min_max' or 'rank'"),
        ({"schedule": "adaptive", "swap": True}, "leave swap out"),
        ({"schedule": "adaptive", "rating": "win_rate"}, "choose rating = 'bradley_terry'"),
    ],
)
def test_a_parameter_of_another_choice_is_refused(fields: dict[str, Any], complaint: str) -> None:
    for rules in (TournamentRules, JudgeRecipe):
        with pytest.raises(ValidationError, match=complaint):
            rules(**fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"anchor": "x"}, "anchor: only schedule = 'anchor' has one"),
        ({"anchor_index": 0}, "anchor_index: only schedule = 'anchor' has one"),
        ({"schedule": "anchor"}, "needs either anchor or anchor_index"),
        ({"schedule": "anchor", "anchor": "x", "anchor_index": 0}, "needs either"),
        ({"schedule": "anchor", "anchor_index": 2}, "anchor_index = 2: there are 2 responses"),
    ],
)
def test_a_baseline_is_given_once_and_only_where_it_is_used(
    fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        TournamentRequest(prompt=[], responses=["1", "2"], **fields)


def test_a_recipe_has_no_baseline_answer() -> None:
    with pytest.raises(ValidationError, match="choose another schedule"):
        JudgeRecipe(schedule="anchor")


def test_the_defaults_are_sr_r1s() -> None:
    rules = TournamentRules()
    assert (rules.schedule, rules.rating, rules.reward_form) == ("all_pairs", "elo", "min_max")
    assert (rules.elo_order, rules.elo_iterations, rules.elo_k) == ("sequential", 10, 16.0)
    assert (rules.reward_min, rules.reward_max, rules.swap) == (0.0, 3.0, False)


def test_what_was_sent_is_understood_again() -> None:
    sent = TournamentRequest(prompt=[], responses=["1", "2"], schedule="adaptive", goal="top")
    assert TournamentRequest.model_validate_json(sent.model_dump_json()) == sent
