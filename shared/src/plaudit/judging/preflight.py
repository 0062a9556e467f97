"""Whether the service can judge a file at all, asked before the first call is paid for."""

from plaudit.client import JudgeClient
from plaudit.errors import ConfigError
from plaudit.judging.items import Checked


async def check_service(client: JudgeClient, checked: Checked) -> None:
    """Raises ConfigError: a judge or rubric is not there, or cannot be used; Unavailable."""
    judges = {judge.name: judge for judge in (await client.judges()).judges}
    rubrics = {rubric.name for rubric in (await client.rubrics()).rubrics}
    for name in sorted(checked.judges):
        if name not in judges:
            raise ConfigError(
                f"judge {name!r}: {client.peer} has none of this name; there are "
                f"{', '.join(sorted(judges))}.",
                fix=f"add a table [judge.judges.{name}] to its plaudit.toml, or name another one",
            )
        if not judges[name].available:
            raise ConfigError(f"judge {name!r} is not available: {judges[name].reason}")
    if unknown := sorted(checked.rubrics - rubrics):
        raise ConfigError(
            f"rubric {unknown[0]!r}: {client.peer} has none of this name; there are "
            f"{', '.join(sorted(rubrics))}.",
            fix="put it into the service's rubric_dir, or name another one",
        )
