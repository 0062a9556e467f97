"""The settings that every service has. Each adds its own in a subclass."""

import ipaddress
import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from plaudit.config.keys import NamedKey, check_named, check_usable
from plaudit.errors import ConfigError

MAX_PORT = 65535


class ServiceSettings(BaseSettings):
    """Built directly it takes only its arguments; `load_settings` reads environment and file."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )

    host: str = "127.0.0.1"
    """Address to bind. Anything but loopback needs `api_keys` or `keys`."""
    port: int = 0
    """Port of the HTTP API; 0 takes any free one."""
    worker_port: int = 0
    """Port of a worker's health and metrics; 0 is none."""
    redis_url: str = Field(default="redis://127.0.0.1:6379/0", repr=False)
    """Where queues live. For all services: PLAUDIT_REDIS_URL."""
    api_keys: Annotated[list[SecretStr], NoDecode] = []
    """Keys that callers must send as `Authorization: Bearer KEY`; comma-separated."""
    api_keys_file: str | None = None
    """File with one key per line, added to `api_keys`."""
    keys: Mapping[str, NamedKey] = {}
    """Keys by name, each with scopes and limits of its own; those in `api_keys` have none."""
    api_key: SecretStr | None = None
    """Key that this service sends to its peers. For all services: PLAUDIT_API_KEY."""
    api_key_file: str | None = None
    """File that holds just that key, read when `api_key` is not set."""
    allow_unauthenticated: bool = False
    """Bind a non-loopback host without any key. Only on a network that you trust."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    otlp_endpoint: str | None = None
    """OpenTelemetry collector that spans are sent to; None: nothing is sent."""
    max_body_bytes: int = Field(default=16 * 2**20, ge=1024)
    """A larger request body is answered 413."""
    max_concurrent_requests: int = Field(default=2048, ge=1)
    """Requests beyond this many at once are answered 429."""
    body_timeout_s: float = Field(default=30.0, gt=0.0)
    """A request body must have arrived after this long."""
    drain_timeout_s: float = Field(default=20.0, ge=0.0)
    """After SIGTERM, how long work may go on before it is handed back."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    # why: a subclass that redeclares `port` would lose a bound that stands in its Field.
    @field_validator("port", "worker_port")
    @classmethod
    def is_a_port(cls, value: int) -> int:
        if not 0 <= value <= MAX_PORT:
            raise ValueError(f"a port is between 0 and {MAX_PORT}")
        return value

    @field_validator("api_keys", mode="before")
    @classmethod
    def split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        keys = [key.strip() for key in value.split(",") if key.strip()]
        if value and not keys:
            raise ValueError("holds no key; separate keys by commas, or unset it")
        return keys

    @field_validator("api_keys", mode="after")
    @classmethod
    def keys_are_usable(cls, value: list[SecretStr]) -> list[SecretStr]:
        for key in value:
            check_usable(key.get_secret_value())
        return value

    @field_validator("keys", mode="after")
    @classmethod
    def named_keys_are_usable(cls, value: Mapping[str, NamedKey]) -> Mapping[str, NamedKey]:
        check_named(value)
        return value

    @model_validator(mode="after")
    def limits_of_keys_are_lower(self) -> Self:
        for name, key in self.keys.items():
            for setting in ("max_body_bytes", "max_concurrent_requests"):
                limit, own = getattr(key, setting), getattr(self, setting)
                if limit is not None and limit > own:
                    raise ValueError(
                        f"keys.{name}.{setting} = {limit} is above the service's {setting} = {own}"
                    )
        return self

    def has_keys(self) -> bool:
        return bool(self.api_keys or self.keys)

    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check_exposure(self) -> None:
        """Raises ConfigError when anybody on the network could call this service without a key."""
        if self.is_loopback() or self.has_keys() or self.allow_unauthenticated:
            return
        raise ConfigError(
            f"host = {self.host!r} is reachable from the network, and there are no api_keys.",
            fix="set api_keys (PLAUDIT_API_KEYS or api_keys_file) or a table keys, "
            "bind host = '127.0.0.1', or set allow_unauthenticated = true on a network that you "
            "trust.",
        )
