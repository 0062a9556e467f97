"""How a client calls: key, time limits, attempts, bounds."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ClientOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    api_key: SecretStr | None = None
    timeout_s: float = Field(default=60.0, gt=0.0)
    """For a whole call: all attempts and the pauses between them."""
    connect_timeout_s: float = Field(default=5.0, gt=0.0)
    attempt_timeout_s: float | None = Field(default=None, gt=0.0)
    """An attempt that is silent for so long is given up and made again; off when None."""
    max_attempts: int = Field(default=4, ge=1)
    backoff_s: float = Field(default=0.2, ge=0.0)
    """Pause after the first failure; doubles each time, with jitter."""
    max_backoff_s: float = Field(default=10.0, ge=0.0)
    max_connections: int = Field(default=256, ge=1)
    keep_alive_s: float = Field(default=20.0, gt=0.0)
    """An idle connection is closed after this long; servers wait longer."""
    max_response_bytes: int = Field(default=128 * 2**20, ge=1024)
