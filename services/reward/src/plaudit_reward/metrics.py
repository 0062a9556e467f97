"""What /metrics of the reward API and its workers says."""

from plaudit.telemetry import counter, histogram

SCORES = counter(
    "plaudit_reward_scores_total",
    "Values of rewards: scored, missing (null).",
    ["reward", "outcome"],
)
SECONDS = histogram(
    "plaudit_reward_group_seconds", "Time to score one group with one reward.", ["reward"]
)
LATE_POOLS = counter(
    "plaudit_reward_late_pools_total", "Requests that a pool had not answered in time.", ["pool"]
)
USER_CODE_KILLS = counter(
    "plaudit_reward_user_code_kills_total",
    "Processes of users' rewards that were killed or died: timeout, memory, too_long, died.",
    ["why"],
)
VERIFICATIONS = counter(
    "plaudit_reward_verifications_total",
    "Answers: asked (of Math-Verify), cached, plain (decided without it), refused (by a guard).",
    ["how"],
)
VERIFIER_KILLS = counter(
    "plaudit_reward_verifier_kills_total",
    "Verifier processes that were killed or died: timeout, memory, died.",
    ["why"],
)
