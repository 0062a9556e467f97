"""Settings of the judge service: environment PLAUDIT_JUDGE_*, plaudit.toml [judge]."""

import os
import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from plaudit.config import ServiceSettings
from plaudit.errors import ConfigError
from plaudit.queue import QueueOptions
from plaudit.schemas.common import Contract

JUDGE_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
SELF = "self"


class JudgeSpec(Contract):
    """One judge: a table [judge.judges.NAME]."""

    kind: Literal["self", "openai"]
    """self: the policy in the rollout engines; openai: any OpenAI-compatible chat endpoint."""
    base_url: str | None = None
    """Of an openai judge, up to before /chat/completions: https://api.openai.com/v1."""
    model: str | None = None
    """Of an openai judge; a self judge finds its own."""
    api_key_env: str | None = None
    """Environment variable that holds the key."""
    api_key_file: Path | None = None
    """File that holds the key."""
    max_concurrency: int = Field(default=64, ge=1, le=4096)
    """Calls at once, per worker process."""
    timeout_s: float = Field(default=60.0, gt=0.0)
    """Of one attempt; what takes longer is tried again."""

    @model_validator(mode="after")
    def fits_its_kind(self) -> Self:
        given = [
            name
            for name in ("base_url", "model", "api_key_env", "api_key_file")
            if getattr(self, name) is not None
        ]
        if self.kind == "self" and given:
            raise ValueError(f"{given[0]}: a self judge has none; its engines are engine_urls")
        if self.kind == "openai" and not (self.base_url and self.model):
            raise ValueError("an openai judge needs base_url and model")
        if self.api_key_env and self.api_key_file:
            raise ValueError("give api_key_env or api_key_file, not both")
        return self

    def required_base_url(self) -> str:
        return _required(self.base_url, "base_url")

    def required_model(self) -> str:
        return _required(self.model, "model")

    def read_api_key(self) -> SecretStr | None:
        """None when the judge needs no key. Raises ConfigError when its key is missing."""
        if self.api_key_env is not None:
            value = os.environ.get(self.api_key_env, "").strip()
            return _key(value, f"the environment variable {self.api_key_env}")
        if self.api_key_file is not None:
            try:
                value = self.api_key_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(
                    f"api_key_file = {str(self.api_key_file)!r} cannot be read: "
                    f"{type(error).__name__}."
                ) from error
            return _key(value, f"the file {self.api_key_file}")
        return None


class JudgeSettings(ServiceSettings):
    port: int = Field(default=8103, ge=0, le=65535)
    rollout_url: str = "http://127.0.0.1:8101"
    """Asked which policy version the engines serve. For all services: PLAUDIT_ROLLOUT_URL."""
    engine_urls: list[str] = Field(default=["http://127.0.0.1:8201"], min_length=1, max_length=64)
    """vLLM servers of the rollout service, for self judges; in the environment a JSON list."""
    judges: dict[str, JudgeSpec] = Field(default={}, max_length=64)
    """Judges by name; `self` is there without being named."""
    rubric_dir: Path | None = None
    """Directory with rubrics of your own (*.toml); they may replace shipped ones."""
    deadline_s: float = Field(default=120.0, gt=0.0)
    """A request that is not judged after this long fails as retryable."""
    worker_concurrency: int = Field(default=64, ge=1, le=4096)
    """Requests (pairs or tournaments) that a worker process works on at once."""
    max_queued: int = Field(default=10_000, ge=1)
    """Unfinished requests per judge; more are answered 429."""
    lease_s: float = Field(default=10.0, gt=0.0)
    """A worker that dies is found out after this long and its requests run elsewhere."""
    result_ttl_s: float = Field(default=3600.0, gt=0.0)
    """How long the result of a finished request is kept."""

    @field_validator("judges", mode="after")
    @classmethod
    def names_are_usable(cls, value: dict[str, JudgeSpec]) -> dict[str, JudgeSpec]:
        for name in value:
            if not re.fullmatch(JUDGE_NAME_PATTERN, name):
                raise ValueError(f"{name!r} must match {JUDGE_NAME_PATTERN}")
        return {SELF: JudgeSpec(kind="self"), **value}

    def queue_options(self) -> QueueOptions:
        """The same in the API and in every worker."""
        return QueueOptions(
            max_jobs=self.max_queued, lease_s=self.lease_s, result_ttl_s=self.result_ttl_s
        )


def queue_name(judge: str) -> str:
    return f"judge-{judge}"


def _required(value: str | None, name: str) -> str:
    if value is None:
        raise ConfigError(f"{name} is missing.")
    return value


def _key(value: str, where: str) -> SecretStr:
    if not value:
        raise ConfigError(f"its API key is missing: {where} is not set or empty.")
    if not value.isascii() or not value.isprintable():
        raise ConfigError(f"its API key is not printable ASCII: {where}.")
    return SecretStr(value)
