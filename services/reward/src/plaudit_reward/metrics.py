"""What /metrics of the reward API and its workers says."""

from plaudit.telemetry import counter, gauge, histogram

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
EMBEDDINGS = counter(
    "plaudit_reward_embeddings_total",
    "Texts: computed, cached, failed. Embedders are those of the settings: few.",
    ["embedder", "how"],
)
EMBEDDING_SECONDS = histogram(
    "plaudit_reward_embedding_seconds", "Time to embed what a group has of new texts.", ["embedder"]
)
ARCHIVE_ENTRIES = gauge(
    "plaudit_reward_archive_entries", "Entries of all archives that this worker has in memory."
)
ARCHIVE_APPENDS = counter(
    "plaudit_reward_archive_appends_total",
    "Right completions for an archive: added, known (sent again, and not added again).",
    ["outcome"],
)
ARCHIVE_EVICTIONS = counter(
    "plaudit_reward_archive_evictions_total", "Entries that had to go because an archive was full."
)
