"""Programs that do one thing and end, printing one JSON object as their last line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plaudit.errors import PlauditError
from plaudit.local.environment import LAUNCHER_VARIABLES
from plaudit.local.interrupts import Interrupts
from plaudit.local.process import ProcessSpec
from plaudit.local.supervisor import ProcessFailed, Supervisor


async def run_tool(
    name: str,
    argv: tuple[str, ...],
    interrupts: Interrupts,
    *,
    log_dir: Path,
    on_line: Callable[[str, str], None] = lambda name, line: None,
) -> dict[str, Any]:
    """Raises ConfigError when it exits with 2, ProcessFailed when it fails, Interrupted."""
    spec = ProcessSpec(name, argv, restart="never", without_env=LAUNCHER_VARIABLES)
    supervisor = Supervisor([spec], log_dir=log_dir, on_line=on_line)
    await interrupts.run(supervisor)
    process = supervisor.processes[name]
    tail = [] if process.child is None else list(process.child.tail)
    if process.exit_code != 0:
        last = "\n".join(f"  {line}" for line in tail[-15:])
        raise ProcessFailed(
            name,
            process.exit_code or 1,
            f"{name} failed, exit code {process.exit_code}. Its last lines:\n{last}\n",
            fix=f"see the lines above; its whole log is {process.log.path}",
        )
    return _last_object(name, tail)


def _last_object(name: str, lines: list[str]) -> dict[str, Any]:
    for line in reversed(lines):
        if line.startswith("{"):
            found = json.loads(line)
            assert isinstance(found, dict)
            return found
    raise PlauditError(f"{name} ended without printing its result.")
