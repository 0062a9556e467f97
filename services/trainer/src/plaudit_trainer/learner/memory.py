"""Out of memory: which settings help."""

from collections.abc import Iterator
from contextlib import contextmanager

from plaudit.errors import ConfigError

CPU_ALLOCATOR = "DefaultCPUAllocator"
"""torch raises a plain RuntimeError when the host has no more memory."""


LEARNER_FIX = (
    "lower learner.max_tokens_per_pass, set learner.gradient_checkpointing = true or "
    "[model.lora], shard with learner.strategy, or shorten method.max_completion_tokens"
)


@contextmanager
def explaining_out_of_memory(fix: str = LEARNER_FIX) -> Iterator[None]:
    """Raises ConfigError in place of what torch and Python raise."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _advice(error, fix) from error
    except RuntimeError as error:
        if CPU_ALLOCATOR not in str(error):
            raise
        raise _advice(error, fix) from error


def _advice(error: BaseException, fix: str) -> ConfigError:
    reason = str(error).partition("\n")[0][:300] or "the host has no more"
    return ConfigError(f"out of memory: {reason}", fix=fix)
