"""Keys of services that are not ours: settings name where a key is, never the key."""

import os
from pathlib import Path
from typing import Self

from pydantic import SecretStr, model_validator

from plaudit.errors import ConfigError
from plaudit.schemas.common import Contract


class WithApiKey(Contract):
    """Base of the settings of a peer that may want a key."""

    api_key_env: str | None = None
    """Environment variable that holds the key."""
    api_key_file: Path | None = None
    """File that holds the key."""

    @model_validator(mode="after")
    def one_place(self) -> Self:
        if self.api_key_env and self.api_key_file:
            raise ValueError("give api_key_env or api_key_file, not both")
        return self

    def read_api_key(self) -> SecretStr | None:
        """None when the peer needs no key. Raises ConfigError when its key is missing."""
        if self.api_key_env is not None:
            value = os.environ.get(self.api_key_env, "").strip()
            return _key(value, f"the environment variable {self.api_key_env}")
        if self.api_key_file is not None:
            return key_in(self.api_key_file)
        return None


def key_in(path: Path) -> SecretStr:
    """What a file holds. Raises ConfigError when that is no key."""
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"api_key_file = {str(path)!r} cannot be read: {type(error).__name__}.",
            fix="name a readable file that holds just the key",
        ) from error
    return _key(value, f"the file {path}")


def _key(value: str, where: str) -> SecretStr:
    if not value:
        raise ConfigError(
            f"the API key is missing: {where} is not set or empty.", fix="put the key there"
        )
    if not value.isascii() or not value.isprintable():
        raise ConfigError(
            f"the API key is not printable ASCII: {where}.", fix="put just the key there"
        )
    return SecretStr(value)
