"""Prometheus metrics of the engine's supervisor and of the worker."""

from plaudit.telemetry import counter, gauge, histogram

PAUSE_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

TOKENS = counter("plaudit_rollout_tokens_total", "Tokens: prompt, completion.", ("kind",))
GROUPS = counter("plaudit_rollout_groups_total", "Groups: ok, error.", ("outcome",))
COMPLETIONS = counter("plaudit_rollout_completions_total", "Completions.", ("finish_reason",))
DISCARDED = counter(
    "plaudit_rollout_discarded_total",
    "Groups generated again: refused_version, unknown_weights, engine_lost.",
    ("reason",),
)
IN_FLIGHT = gauge("plaudit_rollout_in_flight", "Groups that the worker works on.")
GENERATE_SECONDS = histogram("plaudit_rollout_generate_seconds", "Seconds to generate a group.")
PAUSED_SECONDS = histogram(
    "plaudit_rollout_paused_seconds",
    "How long generation stood still at each load.",
    buckets=PAUSE_BUCKETS_S,
)
LOADS = counter("plaudit_rollout_loads_total", "Versions loaded and proven.")
REFUSALS = counter(
    "plaudit_rollout_refusals_total", "Versions refused: files, load, probe.", ("reason",)
)
POLICY_VERSION = gauge(
    "plaudit_rollout_policy_version", "Version that the engine serves; -1 when of none."
)
ENGINE_UP = gauge("plaudit_rollout_engine_up", "1 while the engine answers.")
ENGINE_STARTS = counter("plaudit_rollout_engine_starts_total", "Starts of vLLM.")
ENGINE_STARTUP_SECONDS = gauge(
    "plaudit_rollout_engine_startup_seconds", "How long the last start of vLLM took."
)
