"""What a run has written."""

import json
from pathlib import Path
from typing import Any


def metrics(run_dir: Path) -> list[dict[str, Any]]:
    """A line per step."""
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
