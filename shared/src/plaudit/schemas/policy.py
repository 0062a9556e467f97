"""Contracts of published policy versions: immutable, checksummed, proven before they serve."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract

MANIFEST_NAME = "manifest.json"
"""Written last: a version directory without it is half-written."""
SERVING_STAMP = "serving:"
"""Begins the stamp (`weight_version` of vLLM's GET /weight_info) of an engine that pools while it
holds a proven version; the rest is of this one load."""


class PolicyFile(Contract):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    num_bytes: int = Field(ge=0)


class ProbeSequence(Contract):
    """`logprobs[i]` is that of `token_ids[i + 1]` given its prefix, at temperature 1."""

    token_ids: list[int] = Field(min_length=2)
    logprobs: list[float]


class Probe(Contract):
    """What the learner computed under the new weights; an engine must agree to serve them."""

    sequences: list[ProbeSequence] = Field(min_length=1)
    tolerance: float = Field(default=1e-4, gt=0.0)


class PolicyAnnouncement(Contract):
    """Body of `PUT /v1/policy`. `path` is readable by every rollout worker."""

    run_id: str
    version: int = Field(ge=0)
    path: str
    manifest_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class PolicyManifest(Contract):
    """`version` never repeats; `step` is the learner step whose weights these are."""

    run_id: str
    version: int = Field(ge=0)
    step: int = Field(ge=0)
    files: dict[str, PolicyFile]
    probe: Probe
    base: PolicyAnnouncement | None = None
    """The whole weights that the files are an adapter to, in PEFT's format; None: the files are
    whole weights. It is never announced itself, and its version says nothing."""


class PolicyReplica(Contract):
    replica_id: str
    version: int | None
    """None while the engine is down, or serves weights of no announced version."""
    state: Literal["starting", "serving", "loading", "refused", "down"]
    error: str | None = None
    pause_s: float | None = None
    """How long generation stood still at the last load."""
    num_loads: int = 0
    updated_at: float


class PolicyState(Contract):
    announced: PolicyAnnouncement | None
    replicas: list[PolicyReplica]
