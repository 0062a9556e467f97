"""What /metrics of the reward API and its workers says."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import Counter, Histogram

from plaudit.telemetry import counter, gauge, histogram
from plaudit_reward.reward import Missing, Score

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


@dataclass(frozen=True)
class Meters:
    """Those of one reward: looking them up by its name costs more than counting."""

    seconds: Histogram
    scored: Counter
    missing: Counter

    def count(self, scores: Sequence[Score], took_s: float) -> None:
        """A group."""
        num_missing = len([score for score in scores if isinstance(score, Missing)])
        self.missing.inc(num_missing)
        self.scored.inc(len(scores) - num_missing)
        self.seconds.observe(took_s)


@lru_cache(maxsize=1024)
def meters_of(reward: str) -> Meters:
    return Meters(
        SECONDS.labels(reward), SCORES.labels(reward, "scored"), SCORES.labels(reward, "missing")
    )
