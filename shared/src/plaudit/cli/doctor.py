"""`plaudit doctor`: is everything there, and if not, what to do."""

from typing import Annotated

import typer
from rich.text import Text

from plaudit.cli.output import out, print_json
from plaudit.local.doctor import Finding, examine
from plaudit.local.environment import Environment
from plaudit.local.logs import printable

_STYLE = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="JSON for scripts.")] = False,
) -> None:
    """Check this machine: programs, versions, ports, Redis, GPU, disk, keys. Starts nothing.

    Each line that is not ok says what to do. Exit code 1 when something is wrong.
    """
    findings = examine(Environment())
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    line = Text(f"{finding.level:4} ", style=_STYLE[finding.level])
    line.append(f"{finding.name}: ", style="bold").append(printable(finding.value), style="default")
    if finding.fix:
        line.append(f"  -> {printable(finding.fix)}", style="cyan")
    out.print(line)
