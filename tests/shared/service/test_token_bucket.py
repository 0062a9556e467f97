import pytest

from plaudit.service.token_bucket import TokenBucket


def test_a_burst_may_take_a_minutes_tokens_and_then_they_come_evenly() -> None:
    bucket = TokenBucket(60)
    assert [bucket.take(1000.0) for _ in range(60)] == [0.0] * 60
    assert bucket.take(1000.0) == pytest.approx(1.0)
    assert bucket.take(1000.5) == pytest.approx(0.5)
    assert bucket.take(1001.1) == 0.0
    assert bucket.take(1001.1) > 0.0


def test_it_never_holds_more_than_a_minutes_tokens() -> None:
    bucket = TokenBucket(2)
    assert [bucket.take(0.0), bucket.take(0.0)] == [0.0, 0.0]
    assert [bucket.take(1e6) == 0.0 for _ in range(3)] == [True, True, False]
