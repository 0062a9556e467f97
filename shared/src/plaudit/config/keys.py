"""Named API keys: who may call a service, for what, and how much of it."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from plaudit.config.api_key import WithApiKey
from plaudit.config.names import check_table_names
from plaudit.errors import ConfigError

KEY_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
MAX_NAMED_KEYS = 64
MIN_KEY_CHARS = 8


class NamedKey(WithApiKey):
    """A table [<service>.keys.NAME]. What is not set is bounded by the service's own limits only.

    Its limits hold for each process of the API.
    """

    scopes: Annotated[list[str], Field(min_length=1)] | None = None
    """What it may ask for: `tournament` is POST /v1/tournament, also as a job. None: everything."""
    requests_per_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    """A bucket of so many, filled evenly over a minute; more are answered 429."""
    max_concurrent_requests: int | None = Field(default=None, ge=1)
    """Requests beyond this many at once are answered 429."""
    max_body_bytes: int | None = Field(default=None, ge=1024)
    """A larger request body is answered 413."""

    @model_validator(mode="after")
    def has_a_key(self) -> Self:
        if not self.api_key_env and not self.api_key_file:
            raise ValueError("give api_key_env or api_key_file, where its key is")
        return self


def check_usable(key: str) -> None:
    """Raises ValueError, which does not show the key."""
    if len(key) < MIN_KEY_CHARS or not key.isascii() or not key.isprintable():
        raise ValueError(f"a key needs at least {MIN_KEY_CHARS} printable ASCII characters")


def check_named(keys: Mapping[str, NamedKey]) -> None:
    """Raises ValueError: too many, or a name that no metric and no job id could have."""
    check_table_names(keys, KEY_NAME_PATTERN)
    if len(keys) > MAX_NAMED_KEYS:
        raise ValueError(f"there are {len(keys)}; at most {MAX_NAMED_KEYS}")


def read_keys(keys: Mapping[str, NamedKey], plain: list[SecretStr]) -> dict[str, SecretStr]:
    """The keys by name.

    Raises:
        ConfigError: one is missing, unusable, or also the key of somebody else.
    """
    found: dict[str, SecretStr] = {}
    for name, key in keys.items():
        try:
            found[name] = _read(key, taken=[*plain, *found.values()])
        except (ConfigError, ValueError) as error:
            fix = error.fix if isinstance(error, ConfigError) else None
            message = error.message if isinstance(error, ConfigError) else str(error)
            raise ConfigError(f"keys.{name}: {message}", fix=fix) from None
    return found


def _read(key: NamedKey, taken: list[SecretStr]) -> SecretStr:
    secret = key.read_api_key()
    assert secret is not None
    check_usable(secret.get_secret_value())
    if secret in taken:
        raise ConfigError(
            "its key is that of another name, or one of api_keys.", fix="give it a key of its own."
        )
    return secret
