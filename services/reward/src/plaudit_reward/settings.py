"""Settings of the reward service, from PLAUDIT_REWARD_* or plaudit.toml [reward]."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from plaudit.config import ServiceSettings
from plaudit.config.names import check_table_names
from plaudit.queue import QueueOptions
from plaudit.schemas.reward import RewardSpec
from plaudit_reward.archive.limits import ArchiveLimits
from plaudit_reward.embedding.spec import HASHED, NAME_PATTERN, EmbedderSpec, HashedSpec
from plaudit_reward.models.spec import MAX_MODELS, MODEL_NAME_PATTERN, ModelSpec
from plaudit_reward.openrlhf.spec import (
    MAX_REMOTES,
    REMOTE_NAME_PATTERN,
    STOP_TEXTS,
    RemoteSpec,
    StopText,
)


class RewardSettings(ServiceSettings):
    port: int = Field(default=8102, ge=0, le=65535)
    sandbox_url: str = "http://127.0.0.1:8104"
    """Where the pool `code` runs programs. For all services: PLAUDIT_SANDBOX_URL."""
    score_timeout_s: float = Field(default=60.0, gt=0.0)
    """A pool that has not answered by then gives null. A caller's X-Deadline-S comes before it."""
    max_deadline_s: float = Field(default=600.0, gt=0.0)
    """X-Deadline-S counts up to this, and no worker works longer on one request."""
    max_queued: int = Field(default=10_000, ge=1)
    """Unfinished requests per pool; more are answered 429."""
    lease_s: float = Field(default=10.0, gt=0.0)
    """A worker that dies is found out after this long and its requests run elsewhere."""
    result_ttl_s: float = Field(default=600.0, gt=0.0)
    """How long a result can be fetched, and an Idempotency-Key is remembered."""
    worker_concurrency: int = Field(default=32, ge=1, le=4096)
    """Requests that a worker process works on at once."""
    max_text_chars: int = Field(default=2**20, ge=1024)
    """A completion longer than this gets null from every reward."""
    verifier_processes: int = Field(default_factory=lambda: min(4, os.cpu_count() or 1), ge=1)
    """Processes in which a worker of the pool `rules` runs Math-Verify."""
    verify_timeout_s: float = Field(default=3.0, gt=0.0)
    """CPU time for one answer (5 times as long by the clock); then its process is killed and the
    reward is null."""
    verify_memory_bytes: int = Field(default=768 * 2**20, ge=256 * 2**20)
    sandbox_concurrency: int = Field(default=16, ge=1, le=1024)
    """Programs that a worker of the pool `code` has in the sandbox at once."""
    sandbox_timeout_s: float = Field(default=60.0, gt=0.0)
    """For one program, with the time it waits for its turn and all attempts."""
    models: dict[str, ModelSpec] = Field(default={}, max_length=MAX_MODELS)
    """What the pool `model` may run or ask, by name: tables [reward.models.NAME]."""
    max_batch_tokens: int = Field(default=16_384, ge=1)
    """Of one batch of a local model, padding included."""
    max_resident_models: int = Field(default=4, ge=1, le=MAX_MODELS)
    """Local models in memory at once; another takes the place of the one unused for longest."""
    torch_threads: int = Field(default_factory=lambda: min(4, os.cpu_count() or 1), ge=1, le=256)
    """For one batch on the CPU."""
    preload_models: bool = False
    """Load them when the worker starts, which fails then, and not when they are first asked for."""

    @field_validator("models", mode="after")
    @classmethod
    def models_are_usable(cls, value: dict[str, ModelSpec]) -> dict[str, ModelSpec]:
        check_table_names(value, MODEL_NAME_PATTERN)
        return value

    embedders: dict[str, EmbedderSpec] = Field(default={}, max_length=16)
    """What intrinsic rewards embed texts with, by name; `hashed` is there without being named."""
    embedding_cache_bytes: int = Field(default=64 * 2**20, ge=0)
    """Embeddings that a worker keeps for texts that come again."""
    archive_max_entries: int = Field(default=10_000, ge=1, le=1_000_000)
    """Right completions in one archive of `completion_intrinsic`; the oldest make room."""
    archive_max_bytes: int = Field(default=64 * 2**20, ge=2**16)
    """Of one archive in Redis; in a worker's memory it takes two to three times as many."""
    max_archives: int = Field(default=8, ge=1, le=1024)
    archive_ttl_s: float = Field(default=30 * 86_400.0, gt=0.0)
    """An archive that nothing was added to for so long is deleted."""

    user_code_dirs: list[Path] = Field(default=[], max_length=64)
    """Below these a worker runs rewards in files (`name = "/dir/my.py:f"`); in the environment a
    JSON list. Empty: none. Whoever may write there, or call the API, chooses what runs."""
    user_timeout_s: float = Field(default=20.0, gt=0.0)
    """For one group, by the clock; then the process of that reward is killed."""
    user_memory_bytes: int = Field(default=2 * 2**30, ge=128 * 2**20)
    """Of one such process, resident."""
    user_processes: int = Field(default_factory=lambda: min(4, os.cpu_count() or 1), ge=1, le=256)
    """Such processes of a worker at once."""

    openrlhf_rewards: list[RewardSpec] = Field(
        default=[RewardSpec(name="accuracy")], min_length=1, max_length=64
    )
    """What POST /get_reward computes; in the environment a JSON list."""
    openrlhf_missing: Literal["error"] | Annotated[float, Field(allow_inf_nan=False)] = "error"
    """What a query without a reward gets there: an error for all of them, or this number."""
    openrlhf_stop_texts: list[StopText] = Field(default=STOP_TEXTS, max_length=64)
    """Cut off the end of its queries, which OpenRLHF decodes with special tokens."""
    remotes: dict[str, RemoteSpec] = Field(default={}, max_length=MAX_REMOTES)
    """Servers with OpenRLHF's wire for `remote_reward`, by name: tables [reward.remotes.NAME]."""

    @field_validator("remotes", mode="after")
    @classmethod
    def remotes_are_usable(cls, value: dict[str, RemoteSpec]) -> dict[str, RemoteSpec]:
        check_table_names(value, REMOTE_NAME_PATTERN)
        return value

    @field_validator("openrlhf_rewards", mode="after")
    @classmethod
    def nothing_is_compared(cls, value: list[RewardSpec]) -> list[RewardSpec]:
        for one in value:
            if one.scale != "none":
                raise ValueError(f"scale = {one.scale!r} of {one.name!r}: each query comes alone")
        return value

    @field_validator("user_code_dirs", mode="after")
    @classmethod
    def dirs_are_absolute(cls, value: list[Path]) -> list[Path]:
        for path in value:
            if not path.is_absolute():
                raise ValueError(f"{str(path)!r} is not absolute: services start anywhere")
        return value

    @field_validator("embedders", mode="after")
    @classmethod
    def embedders_are_usable(cls, value: dict[str, EmbedderSpec]) -> dict[str, EmbedderSpec]:
        check_table_names(value, NAME_PATTERN)
        return {HASHED: HashedSpec(), **value}

    def archive_limits(self) -> ArchiveLimits:
        return ArchiveLimits(
            max_entries=self.archive_max_entries,
            max_bytes=self.archive_max_bytes,
            max_archives=self.max_archives,
            ttl_s=self.archive_ttl_s,
        )

    def queue_options(self) -> QueueOptions:
        """The same in the API and in every worker."""
        return QueueOptions(
            max_jobs=self.max_queued,
            max_payload_bytes=self.max_body_bytes,
            lease_s=self.lease_s,
            result_ttl_s=self.result_ttl_s,
        )


def queue_name(pool: str) -> str:
    return f"reward-{pool}"
