"""What a DeepSpeed configuration of the user's own must have."""

import json
from pathlib import Path
from typing import Any

from plaudit.errors import ConfigError

_PREFETCH = "stage3_prefetch_bucket_size"


def check_deepspeed(path: str | None) -> None:
    """Raises ConfigError: it is no JSON, or would stop the first step under ZeRO-3."""
    if path is None:
        return
    zero = _read(path).get("zero_optimization", {})
    # TRL's head gathers its weights by itself and does not wait where DeepSpeed has begun to.
    if zero.get("stage") == 3 and zero.get(_PREFETCH) != 0:
        raise ConfigError(
            f"learner.deepspeed = {path!r}: zero_optimization.{_PREFETCH} is "
            f"{zero.get(_PREFETCH, 'not set')}; weights that DeepSpeed fetches ahead are not ready "
            "when the head reads them.",
            fix=f'set "{_PREFETCH}": 0 there, or use learner.strategy = "zero3"',
        )


def _read(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"learner.deepspeed = {path!r} cannot be read: {error}.",
            fix="give a DeepSpeed configuration, which is a JSON object in a file",
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(
            f"learner.deepspeed = {path!r} is no JSON object.", fix="give a DeepSpeed configuration"
        )
    return found
