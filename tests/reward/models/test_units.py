"""What a whole text and its tokens get from the rewards of its segments."""

import math

import pytest

from plaudit.segments import LocationNorm, text_reward
from plaudit_reward.models.units import TokenReadings, unit_score
from plaudit_reward.reward import Missing, PerToken

PHI_3 = LocationNorm(0.7668, 0.2569, 0.4705, 2.8339)


def readings(rewards: list[float], *, eos: bool = False) -> TokenReadings:
    return TokenReadings([9.0] * len(rewards), rewards, eos)


def test_forms_of_the_whole_text_give_the_last_token_one_value() -> None:
    found = unit_score(readings([1.0, 3.0, 7.0], eos=True), 1.0, "segment_last_avg", PHI_3, None)
    assert found == PerToken((0.0, 0.0, 2.0), 2.0)
    found = unit_score(readings([1.0, 3.0]), 1.0, "segment_last_logsumexp", PHI_3, None)
    assert found.value == pytest.approx(math.log(math.e + math.exp(3.0)))
    assert found.tokens == (0.0, found.value)
    assert text_reward([1000.0, 1000.0], "segment_last_logsumexp") == pytest.approx(
        1000 + math.log(2)
    )


def test_nothing_but_eos_and_entropies_that_are_none_are_missing() -> None:
    def score(found: TokenReadings) -> PerToken | Missing:
        return unit_score(found, 1.0, "segment_normalization", LocationNorm(), None)

    assert isinstance(score(readings([1.0], eos=True)), Missing)
    assert "no number" in score(TokenReadings([1.0, math.nan], [1.0, 1.0], False)).reason
