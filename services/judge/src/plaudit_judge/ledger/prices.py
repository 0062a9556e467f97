"""What a call costs: its tokens by the price table."""

from dataclasses import replace

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit_judge.judges.base import Reply

_MAX_PRICE = 1_000_000.0


class Price(Contract):
    """Of one model, a table [judge.prices."MODEL"]: US dollars per million tokens."""

    input_usd_per_mtok: float = Field(ge=0.0, le=_MAX_PRICE)
    output_usd_per_mtok: float = Field(ge=0.0, le=_MAX_PRICE)
    cached_usd_per_mtok: float | None = Field(default=None, ge=0.0, le=_MAX_PRICE)
    """Of what the endpoint's cache gave; None: as the input."""
    cache_write_usd_per_mtok: float | None = Field(default=None, ge=0.0, le=_MAX_PRICE)
    """Of what was put into it; None: as the input."""

    def cost_usd(self, reply: Reply) -> float:
        input_usd = self.input_usd_per_mtok
        cached_usd = _or(self.cached_usd_per_mtok, input_usd)
        write_usd = _or(self.cache_write_usd_per_mtok, input_usd)
        # An endpoint may claim more cached tokens than it read.
        read = max(0, reply.prompt_tokens - reply.cached_tokens - reply.cache_write_tokens)
        return 1e-6 * (
            read * input_usd
            + reply.cached_tokens * cached_usd
            + reply.cache_write_tokens * write_usd
            + reply.completion_tokens * self.output_usd_per_mtok
        )


def charged(reply: Reply, price: Price | None) -> Reply:
    """The reply with its cost; without a price as one of unknown cost."""
    if price is None:
        return replace(reply, unpriced_calls=1)
    return replace(reply, cost_usd=price.cost_usd(reply))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
