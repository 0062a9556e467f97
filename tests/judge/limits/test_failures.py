"""How long a call that failed waits before it tries again."""

import pytest

from plaudit.errors import QueueFull, Unavailable
from plaudit_judge.limits.failures import Failures

from .virtual_time import run_virtual

AWAY, FULL = Unavailable("connection refused"), QueueFull("full")


def longest_pause_s(error: Unavailable, number: int, timeout_s: float = 1000.0) -> float:
    """Of 200 calls that failed so many times."""

    async def play() -> float:
        failures = Failures("j", timeout_s)
        for _ in range(number):
            failures.add(error)
        return max(failures.pause_s() for _ in range(200))

    return run_virtual(play())


@pytest.mark.parametrize(
    ("number", "most_s"), [(1, 0.2), (2, 0.4), (4, 1.6), (6, 5.0), (2000, 5.0)]
)
def test_pauses_double_up_to_a_bound(number: int, most_s: float) -> None:
    assert 0.8 * most_s < longest_pause_s(AWAY, number) <= most_s


def test_a_refused_call_is_back_after_a_second_at_most() -> None:
    assert 0.8 < longest_pause_s(FULL, 100) <= 1.0


@pytest.mark.parametrize(("left_s", "most_s"), [(4.0, 2.0), (0.3, 0.15), (0.01, 0.1), (0.0, 0.1)])
def test_half_of_the_time_left_is_kept_for_another_try_but_for_the_last_moment(
    left_s: float, most_s: float
) -> None:
    assert longest_pause_s(AWAY, 100, left_s) == pytest.approx(most_s, abs=0.001)


def test_pauses_are_random_so_that_calls_that_failed_together_come_back_apart() -> None:
    failures = Failures("j", 1000.0)
    failures.add(AWAY)
    pauses_s = sorted(failures.pause_s() for _ in range(200))
    assert pauses_s[0] < 0.02
    assert pauses_s[-1] > 0.18
