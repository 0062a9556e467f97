"""Out of memory: which settings help."""

from collections.abc import Iterator
from contextlib import contextmanager

from plaudit.errors import ConfigError

CPU_ALLOCATOR = "DefaultCPUAllocator"
"""torch raises a plain RuntimeError when the host has no more memory."""


@contextmanager
def explaining_out_of_memory() -> Iterator[None]:
    """Raises ConfigError in place of what torch and Python raise."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _advice(error) from error
    except RuntimeError as error:
        if CPU_ALLOCATOR not in str(error):
            raise
        raise _advice(error) from error


def _advice(error: BaseException) -> ConfigError:
    reason = str(error).partition("\n")[0][:300] or "the host has no more"
    return ConfigError(
        f"learner: out of memory: {reason}",
        fix="lower learner.max_tokens_per_pass, set learner.gradient_checkpointing = true or "
        "[model.lora], shard with learner.strategy, or shorten method.max_completion_tokens",
    )
