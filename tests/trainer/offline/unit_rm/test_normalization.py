"""The fit: planted lines are found again, far-off points move them little, some data has none."""

import json
import math
import random

import numpy as np
import pytest

from plaudit.segments import NORMALIZATION_KEY, LocationNorm
from plaudit_trainer.offline.unit_rm.huber import huber_line
from plaudit_trainer.offline.unit_rm.normalization import (
    fit_location_norm,
    normalization_file,
    normalization_key,
)

PHI_3 = LocationNorm(0.7668, 0.2569, 0.4705, 2.8339)


def planted(norm: LocationNorm, num_answers: int, seed: int = 0) -> list[list[float]]:
    """Answers of 1 to 8 segments whose rewards are normal, mean and std by their place."""
    rng = random.Random(seed)
    answers = []
    for _ in range(num_answers):
        count = rng.randint(1, 8)
        places = [(j + 1) / count for j in range(count)]
        answers.append([rng.gauss(norm.mean(p), norm.std(p)) for p in places])
    return answers


def test_planted_parameters_are_found_again() -> None:
    found = fit_location_norm(planted(PHI_3, 9000))
    expected = (PHI_3.w_mu, PHI_3.w_sigma, PHI_3.b_mu, PHI_3.b_sigma)
    norm = found.norm
    assert (norm.w_mu, norm.w_sigma, norm.b_mu, norm.b_sigma) == pytest.approx(expected, abs=0.1)
    assert found.r2_mean > 0.9 and 0.5 < found.r2_std <= 1.0
    assert (found.num_answers, found.warning) == (9000, None)
    assert norm.p_min == 0.125, "the first of eight segments"


def test_places_are_rounded_to_three_decimals() -> None:
    """1/3 is where 333/1000 is. Places with one reward alone are left out."""
    found = fit_location_norm([[1.0, 2.0, 3.0], [0.5] * 1000])
    assert found.num_places == len([1 / 3, 2 / 3, 1.0])


@pytest.mark.parametrize(
    "answers",
    [[], [[1.0], [2.0], [3.0]], [[1.0, 2.0]], [[1.0, math.nan], [2.0, math.nan]]],
    ids=["none", "one segment each", "one answer", "no numbers"],
)
def test_without_two_places_there_is_no_line_and_a_reason(answers) -> None:
    found = fit_location_norm(answers)
    assert found.norm == LocationNorm()
    assert "at 0 places" in found.warning or "at 1 place" in found.warning
    assert found.r2_mean is None and found.r2_std is None


def test_rewards_that_are_all_the_same_are_not_divided_by_0() -> None:
    found = fit_location_norm([[3.0, 3.0]] * 10)
    assert found.norm == LocationNorm()
    assert "standard deviation" in found.warning


def test_the_file_has_the_parameters_where_the_keys_lead() -> None:
    key = normalization_key("org/phi3/", "/data/preference700k.jsonl", 1.75)
    assert key == "phi3/preference700k/peak/avg/1.75"
    content = json.loads(json.dumps(normalization_file(key, fit_location_norm([[1.0]]))))
    for names in (key, NORMALIZATION_KEY):
        found = content
        for name in names.split("/"):
            found = found[name]
        assert found == [0.0, 0.0, 0.0, 1.0, 0.0]
    assert content["fit"]["num_answers"] == 1 and content["fit"]["warning"]


# What HuberRegressor(epsilon=1.35) of scikit-learn 1.9.1 gives on `points()`.
SCIKIT_LEARN = (0.6951375, 0.4186665)


def points() -> tuple[np.ndarray, np.ndarray]:
    """A line with noise; every tenth point is far off."""
    rng = np.random.default_rng(0)
    x = np.log((1 + np.arange(200)) / 200)
    y = 0.7 * x + 0.4 + rng.normal(0.0, 0.1, 200)
    y[::10] += 5.0
    return x, y


def test_the_line_is_that_of_scikit_learn() -> None:
    found = huber_line(*points())
    assert (found.slope, found.intercept) == pytest.approx(SCIKIT_LEARN, abs=1e-5)


def test_far_off_points_move_it_little() -> None:
    x, y = points()
    found, plain = huber_line(x, y), np.polyfit(x, y, 1)
    assert abs(found.intercept - 0.4) < 0.06 < 0.3 < abs(plain[1] - 0.4)


def test_points_on_a_line_give_that_line() -> None:
    found = huber_line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
    assert found == pytest.approx((2.0, 1.0, 1.0))


def test_r2_counts_all_points_alike() -> None:
    x, y = points()
    found = huber_line(x, y)
    rest = y - found.slope * x - found.intercept
    assert found.r2 == pytest.approx(1 - (rest @ rest) / ((y - y.mean()) @ (y - y.mean())))
