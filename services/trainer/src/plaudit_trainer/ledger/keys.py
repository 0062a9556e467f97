"""Names of a run's keys in Redis, and reading of its counters."""

from collections.abc import Mapping

from plaudit.errors import ConfigError, PlauditError, Unauthorized
from plaudit.schemas.run import Ledger
from plaudit_trainer.ledger.scripts import KEY_NAMES


def prefix(run_id: str) -> str:
    return f"plaudit:run:{run_id}:"


def script_keys(run_id: str) -> list[str]:
    """The keys that every script takes, in the order it expects them."""
    return [prefix(run_id) + name for name in KEY_NAMES]


def is_setting(error: PlauditError) -> bool:
    """Whether the user has to change something before another try is of any use."""
    return isinstance(error, ConfigError | Unauthorized)


def parse_counts(counts: Mapping[bytes, bytes], in_flight: int) -> Ledger:
    plain = {key.decode(): int(value) for key, value in counts.items()}
    dropped = {
        name.removeprefix("dropped:"): number
        for name, number in plain.items()
        if name.startswith("dropped:")
    }
    return Ledger(
        admitted=plain.get("admitted", 0),
        trained=plain.get("trained", 0),
        dropped=dropped,
        in_flight=in_flight,
    )
