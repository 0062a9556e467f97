"""Prometheus metrics. The label `judge` takes the names in the settings and no others."""

from collections.abc import Iterable

from plaudit.errors import PlauditError
from plaudit.schemas.judge_scores import Grade
from plaudit.telemetry.metrics import counter, gauge, histogram
from plaudit_judge.judges.base import Reply
from plaudit_judge.parse import Seat

CALLS = counter(
    "plaudit_judge_calls_total",
    "Attempts to call a judge: ok, rejected (can never succeed), unavailable (tried again).",
    ("judge", "outcome"),
)
CALL_SECONDS = histogram(
    "plaudit_judge_call_seconds", "Seconds that an answered call of a judge took.", ("judge",)
)
TOKENS = counter(
    "plaudit_judge_tokens_total",
    "Tokens read (prompt; cached: those from the endpoint's cache) and written (completion).",
    ("judge", "kind"),
)
VERDICTS = counter(
    "plaudit_judge_verdicts_total",
    "Verdicts: for the answer shown first, for the second, tie, or unparsed.",
    ("judge", "verdict"),
)
SCORES = counter(
    "plaudit_judge_scores_total",
    "Answers that were to be scored by a rubric or a reward: scored, or unparsed.",
    ("judge", "outcome"),
)
IDENTICAL_PAIRS = counter(
    "plaudit_judge_identical_pairs_total",
    "Pairs of identical answers: ties without a call.",
    ("judge",),
)
FAILED_COMPARISONS = counter(
    "plaudit_judge_failed_comparisons_total",
    "Comparisons of a tournament that the judge can never make; they are left out.",
    ("judge",),
)
CACHE = counter(
    "plaudit_judge_cache_total",
    "Verdicts wanted: hit (given before), shared (with one who was asking), miss (asked for), "
    "off (not looked up).",
    ("judge", "outcome"),
)
CACHE_FAILURES = counter(
    "plaudit_judge_cache_failures_total",
    "Times that Redis did not answer the cache; verdicts are then asked for.",
    ("judge",),
)
COST_USD = counter(
    "plaudit_judge_cost_usd_total",
    "What calls of judges cost by the price table, in US dollars.",
    ("judge", "lane"),
)
UNSTORED_VERDICTS = counter(
    "plaudit_judge_unstored_verdicts_total",
    "Verdicts that were not stored, because Redis did not take them in time.",
    ("judge",),
)
CONCURRENCY_LIMIT = gauge(
    "plaudit_judge_concurrency_limit",
    "Calls at once that this worker takes the judge's endpoint to bear, by what it refused.",
    ("judge",),
)
BREAKER_OPEN = gauge(
    "plaudit_judge_breaker_open",
    "1 while the judge's endpoint keeps failing and is probed now and then only.",
    ("judge",),
)
WAITED_SECONDS = counter(
    "plaudit_judge_waited_seconds_total",
    "Seconds that the next call in line waited: for concurrency, rate, retry_after or breaker.",
    ("judge", "reason"),
)
SLOT_WAIT_SECONDS = histogram(
    "plaudit_judge_slot_wait_seconds",
    "Seconds that a call waited until it was one of max_concurrency.",
    ("judge", "lane"),
)
_VERDICT_NAMES: dict[Seat | None, str] = {
    "A": "first",
    "B": "second",
    "tie": "tie",
    None: "unparsed",
}


def begin_at_zero(judge: str) -> None:
    """All there may be of `judge`: a rate misses what a series begins with."""
    for name in _VERDICT_NAMES.values():
        VERDICTS.labels(judge, name)
    for outcome in ("scored", "unparsed"):
        SCORES.labels(judge, outcome)
    for outcome in ("ok", "unavailable", "rejected"):
        CALLS.labels(judge, outcome)


def count_verdict(judge: str, seat: Seat | None) -> None:
    VERDICTS.labels(judge, _VERDICT_NAMES[seat]).inc()


def count_scores(judge: str, grades: Iterable[Grade]) -> None:
    for grade in grades:
        SCORES.labels(judge, "unparsed" if grade.score is None else "scored").inc()


def count_reply(judge: str, reply: Reply, seconds: float) -> None:
    CALLS.labels(judge, "ok").inc()
    CALL_SECONDS.labels(judge).observe(seconds)
    TOKENS.labels(judge, "prompt").inc(reply.prompt_tokens)
    TOKENS.labels(judge, "cached").inc(reply.cached_tokens)
    TOKENS.labels(judge, "completion").inc(reply.completion_tokens)


def count_failure(judge: str, error: PlauditError) -> None:
    CALLS.labels(judge, "unavailable" if error.retryable else "rejected").inc()


def count_wait(judge: str, reason: str, seconds: float) -> None:
    WAITED_SECONDS.labels(judge, reason).inc(seconds)


def show_line(judge: str, concurrency_limit: int, breaker_open: bool) -> None:
    CONCURRENCY_LIMIT.labels(judge).set(concurrency_limit)
    BREAKER_OPEN.labels(judge).set(int(breaker_open))
