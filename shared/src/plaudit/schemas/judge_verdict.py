"""Contracts of the judge service's audit: stored verdicts, and what they cost."""

from typing import Literal

from plaudit.schemas.common import Contract, Lane, Message
from plaudit.schemas.judge import RubricStamp

MAX_VERDICTS = 500
"""Of one page."""
Order = Literal["oldest", "newest"]


class StoredVerdict(Contract):
    """One call of a judge. Its texts are the users' data."""

    id: str
    """Its place among the verdicts of its run; `after` of the next page."""
    judged_at: float
    """Seconds since the epoch."""
    run_id: str | None
    lane: Lane
    caller: str | None
    """The name of the API key; null for a plain one."""
    verb: str
    judge: str
    member_of: str | None = None
    """The jury for which this judge was asked."""
    kind: str
    model: str | None
    rubric: RubricStamp | None
    prompt_sha256: str
    """Of the role and the content of each message, each after its length in bytes as 8 bytes."""
    answers_sha256: list[str]
    """In the order in which the judge was shown them."""
    answers_num_chars: list[int]
    reference_sha256: str | None
    seed: int | None
    messages: list[Message]
    """The conversation that was sent; empty where none was, e.g. for a remembered verdict."""
    reply: str
    """The judge's own text; of a long one the end."""
    truncated: bool
    """A part of `messages` or `reply` was left out, for its length."""
    winner: Literal["first", "second", "tie"] | None = None
    """Of a comparison, by the order shown; null when the reply has no verdict."""
    scores: list[float | None] | None = None
    """Of a grade or a reward, in the order shown."""
    policy_version: int | None
    latency_s: float
    calls: int
    """Of the endpoint: 0 for a remembered verdict, more than 1 for a jury."""
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    cost_usd: float | None
    """Null when the model has no price in the settings."""
    cached: bool
    """Plaudit remembered the verdict; nobody was asked."""


class VerdictPage(Contract):
    verdicts: list[StoredVerdict]
    next: str | None
    """`after` of the following page; null at the end. A page may be short, or empty, before it."""


class Cost(Contract):
    """What one caller's requests to one judge in one lane came to."""

    caller: str | None
    judge: str
    lane: Lane
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_hits: int = 0
    unpriced_calls: int = 0
    """Calls whose model has no price: their cost is not in `cost_usd`."""
    cost_usd: float = 0.0


class BudgetState(Contract):
    """`held_usd` is the estimate of what was admitted and is not finished."""

    caller: str | None
    setting: str
    """Where it stands: run_budget_usd and budgets.RUN_ID of the run, keys.NAME.budget_usd."""
    budget_usd: float
    spent_usd: float
    held_usd: float


class CostReport(Contract):
    run_id: str | None
    """Null: of all requests."""
    costs: list[Cost]
    cost_usd: float
    unpriced_calls: int
    budgets: list[BudgetState]
