"""`soft_overlong` at its edges."""

from itertools import pairwise
from typing import Any

import pytest

from plaudit.errors import Rejected
from plaudit.schemas.reward import RewardSpec
from plaudit_reward.registry import load_registry


async def test_it_never_rises_and_has_no_step(score: Any, group: Any) -> None:
    asked = group(*["a"] * 250, tokens=list(range(250)))
    values = await score("soft_overlong", asked, max_tokens=200, cache_tokens=50)
    assert all(0 <= left - right <= 0.0201 for left, right in pairwise(values))
    assert (values[150], values[200], values[249]) == (0.0, -1.0, -1.0)
    assert "-0.0" not in [str(value) for value in values]


async def test_it_needs_neither_a_reference_nor_a_text(score: Any, group: Any) -> None:
    assert await score("soft_overlong", group("", tokens=[0])) == [0.0]
    assert await score("soft_overlong", group("a")) == ["completions.num_tokens is missing"]


@pytest.mark.parametrize("params", [{"cache_tokens": 20000}, {"max_tokens": 1000}])
def test_a_cache_beyond_the_limit_is_refused(params: dict[str, int]) -> None:
    with pytest.raises(Rejected, match=r"cache_tokens = \d+ is more than max_tokens = \d+"):
        load_registry().choose([RewardSpec(name="soft_overlong", params=params)])
