"""Commands of this machine, Docker's among them."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[3]
# A newer client without its buildx cannot build: Debian's packages come first.
_PATH = f"/usr/bin:{os.environ.get('PATH', '')}"


def run(*words: str | Path, env: dict[str, str] | None = None, timeout_s: float = 600.0) -> str:
    """Its standard output. Fails with what it printed."""
    variables = {**os.environ, "PATH": _PATH, "DOCKER_BUILDKIT": "1", **(env or {})}
    command = [str(word) for word in words]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def is_fine(*words: str | Path) -> bool:
    with suppress(AssertionError, FileNotFoundError):
        run(*words)
        return True
    return False
