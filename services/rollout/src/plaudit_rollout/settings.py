"""Settings of the rollout service's three processes: engine, api and worker."""

import socket
from pathlib import Path
from typing import Literal

from pydantic import Field

from plaudit.config import ServiceSettings
from plaudit.queue import QueueOptions

QUEUE_NAME = "rollout"
MEBIBYTE = 1024 * 1024


class RolloutSettings(ServiceSettings):
    port: int = Field(default=8101, ge=0, le=65535)
    replica: int = Field(default=0, ge=0, le=65535)
    """Which replica on this machine the engine and the worker beside it are."""
    replica_id: str = Field(default="", max_length=128)
    """Name of the replica in results and in GET /v1/policy; made of host and `replica` if empty."""

    model: str = ""
    """Directory or hub id of the base model that the engine starts with."""
    served_model_name: str = "policy"
    """What the engine calls its model at /v1/models."""
    max_model_tokens: int = Field(default=4096, ge=8)
    """Context of the engine: prompt and completion together."""
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    max_num_seqs: int = Field(default=256, ge=1)
    """Sequences that the engine decodes at once."""
    threads: int = Field(default=0, ge=0)
    """OpenMP threads of an engine without a GPU; 0: the machine's cores less one."""
    kv_cache_gib: int = Field(default=1, ge=1)
    """KV cache of an engine without a GPU."""
    gpu_memory_utilization: float = Field(default=0.9, gt=0.0, le=1.0)
    tensor_parallel_size: int = Field(default=1, ge=1)
    enforce_eager: bool | None = None
    """No compilation and no CUDA graphs; when unset, only without a GPU."""
    pooling: bool = False
    """The engine makes embeddings instead of completions, the means of the last hidden states; the
    worker beside it only keeps it at the newest version."""
    max_lora_rank: int = Field(default=0, ge=0, le=512)
    """Highest rank of an adapter that the engine can put over its weights; 0: whole weights only.
    """
    max_adapters: int = Field(default=4, ge=1, le=64)
    """Versions, each an adapter, that requests may be using at once. With more, those of the newest
    wait until all of an older one have ended."""
    engine_seed: int | None = None
    """Seed of the engine; when unset, a new one at each start, so that replicas differ."""
    engine_arguments: list[str] = Field(default=[], max_length=256)
    """More arguments for vLLM's server, as a JSON list."""
    engine_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"
    engine_host: str = "127.0.0.1"
    """Address that vLLM binds. It has no authentication: keep it private."""
    engine_port: int = Field(default=8201, ge=1, le=65535)
    engine_url: str = "http://127.0.0.1:8201"
    """Where the worker finds its engine."""
    hub_offline: bool = True
    """Never look for models on a hub."""
    start_timeout_s: float = Field(default=900.0, gt=0.0)
    """An engine that is not ready after this long is started again."""
    unresponsive_timeout_s: float = Field(default=60.0, gt=0.0)
    """An engine that has not answered for this long is killed and started again."""
    stop_timeout_s: float = Field(default=3.0, ge=0.0)
    """After SIGTERM, how long vLLM may take before it is killed."""

    concurrency: int = Field(default=32, ge=1, le=1024)
    """Groups that a worker generates at once; the rest is left to other workers."""
    generate_timeout_s: float = Field(default=600.0, gt=0.0)
    """A request to the engine that takes longer is given up and the group tried again."""
    load_timeout_s: float = Field(default=300.0, gt=0.0)
    """Pausing, loading, resuming: each must be done after this long."""
    recompute_in_flight: bool = False
    """After a load, compute the context of requests in flight anew under the new weights.

    Their next tokens are then exactly of the new version; it costs a prefill of each."""
    poll_s: float = Field(default=0.5, gt=0.0)
    """How often a worker looks at its engine and at the announced version."""
    max_cached_prompts: int = Field(default=4096, ge=1)
    """Tokenised prompts that a worker remembers."""
    policy_root: Path | None = None
    """When set, versions are loaded only from directories below it."""

    max_outstanding: int = Field(default=10_000, ge=1)
    """Groups of one run that are queued, generated or not acknowledged; more are answered 429."""
    lease_s: float = Field(default=10.0, gt=0.0)
    """A worker that dies is found out after this long and its groups run elsewhere."""
    max_deliveries: int = Field(default=10, ge=1)
    """Attempts at a group until it comes back with an error."""
    max_group_bytes: int = Field(default=32 * MEBIBYTE, ge=1024)
    """A finished group that is larger comes back with an error instead."""
    finished_lease_s: float = Field(default=120.0, gt=0.0)
    """A finished group that is not acknowledged for this long is delivered again."""
    finished_ttl_s: float = Field(default=86_400.0, gt=0.0)
    """Finished groups of a run that nobody touched for this long are dropped."""
    max_response_bytes: int = Field(default=32 * MEBIBYTE, ge=1024)
    """GET /v1/rollouts stops adding groups at this size."""
    replica_ttl_s: float = Field(default=10.0, gt=0.0)
    """A replica that was not heard of for this long is no longer listed."""

    @property
    def replica_name(self) -> str:
        return self.replica_id or f"{socket.gethostname()}-{self.replica}"

    def queue_options(self) -> QueueOptions:
        """The same in the API and in every worker."""
        return QueueOptions(
            max_jobs=self.max_outstanding,
            lease_s=self.lease_s,
            max_deliveries=self.max_deliveries,
        )
