"""The price of a call is that of its tokens."""

import pytest

from plaudit_judge.judges.base import Reply
from plaudit_judge.ledger.prices import Price, charged

PLAIN = Price(input_usd_per_mtok=3.0, output_usd_per_mtok=15.0)
CACHING = Price(
    input_usd_per_mtok=3.0,
    output_usd_per_mtok=15.0,
    cached_usd_per_mtok=0.3,
    cache_write_usd_per_mtok=3.75,
)
READ = Reply("", 1_000_000, 100_000, cached_tokens=600_000, cache_write_tokens=300_000)


@pytest.mark.parametrize(
    ("price", "reply", "usd"),
    [
        (PLAIN, Reply("", 1_000_000, 100_000), 3.0 + 1.5),
        (PLAIN, READ, 3.0 + 1.5),
        (CACHING, READ, 0.1 * 3.0 + 0.6 * 0.3 + 0.3 * 3.75 + 1.5),
        (CACHING, Reply("", 10, 0, cached_tokens=1_000_000), 0.3),
        (PLAIN, Reply(""), 0.0),
    ],
    ids=["uncached", "cached at the input's price", "cached", "more cached than read", "nothing"],
)
def test_every_kind_of_token_has_its_price(price: Price, reply: Reply, usd: float) -> None:
    assert price.cost_usd(reply) == pytest.approx(usd)


def test_a_call_without_a_price_is_unpriced_and_not_free() -> None:
    assert charged(READ, None).unpriced_calls == 1
    assert (charged(READ, PLAIN).unpriced_calls, charged(READ, PLAIN).cost_usd) == (0, 4.5)
