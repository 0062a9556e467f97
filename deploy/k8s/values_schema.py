"""Writes plaudit/values.schema.json: what `helm install` accepts, and refuses by name.

    .venv/bin/python deploy/k8s/values_schema.py

Names under `config` are those of the services' own settings.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from plaudit.config import ServiceSettings
from plaudit.config.load import PEER_KEYS
from plaudit_judge.settings import JudgeSettings
from plaudit_reward.settings import RewardSettings
from plaudit_rollout.settings import RolloutSettings
from plaudit_sandbox.settings import SandboxSettings
from plaudit_trainer.settings import TrainerSettings

TARGET = Path(__file__).parent / "plaudit" / "values.schema.json"
SET_BY_THE_CHART = {
    "host", "port", "worker_port", "redis_url", "api_key", "api_key_file", "api_keys",
    "api_keys_file", "engine_host", "engine_port", "engine_url", "engine_urls", "model", "dtype",
    "max_model_tokens", "hub_offline", "otlp_endpoint", "policy_root", "replica", "replica_id",
    *PEER_KEYS,
}  # fmt: skip
"""No `config` names these: keys belong into Secrets, and the rest follows from other values."""


def names_of(settings: type[ServiceSettings]) -> dict[str, Any]:
    names = sorted(settings.model_fields.keys() - SET_BY_THE_CHART)
    described = {
        name: {"description": text} if (text := settings.model_fields[name].description) else {}
        for name in names
    }
    return {"type": "object", "additionalProperties": False, "properties": described}


Table = dict[str, JsonValue]
RolloutConfig = Annotated[Table, WithJsonSchema(names_of(RolloutSettings))]
RewardConfig = Annotated[Table, WithJsonSchema(names_of(RewardSettings))]
JudgeConfig = Annotated[Table, WithJsonSchema(names_of(JudgeSettings))]
SandboxConfig = Annotated[Table, WithJsonSchema(names_of(SandboxSettings))]
TrainerConfig = Annotated[Table, WithJsonSchema(names_of(TrainerSettings))]

Object = Annotated[Table, WithJsonSchema({"type": "object"})]
"""What Kubernetes itself defines."""
Objects = list[Object]
Texts = Annotated[
    dict[str, str],
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?([KMGT]i?|m)?$")]
Name = Annotated[str, Field(pattern=r"^$|^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
TAG = {"type": "string", "pattern": r"^$|^\w[\w.-]*$", "not": {"const": "latest"}}
Tag = Annotated[str, WithJsonSchema(TAG)]
JUDGE_NAME = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"


class Values(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Image(Values):
    """A digest comes before the tag."""

    repository: str | None = None
    tag: Tag | None = None
    digest: Annotated[str, Field(pattern=r"^$|^sha256:[0-9a-f]{64}$")] | None = None


class Images(Values):
    registry: str | None = None
    """Goes before plaudit-SERVICE."""
    tag: Tag | None = None
    """Empty: the chart's appVersion."""
    pullPolicy: Literal["IfNotPresent", "Always", "Never"] | None = None
    pullSecrets: list[Name] | None = None


class Auth(Values):
    existingSecret: Annotated[Name, Field(min_length=1)] | None = None
    """Has `api_keys`, one a line, and `api_key`."""


class Hub(Values):
    enabled: bool | None = None
    """Let engines and trainer load models from the Hugging Face hub."""
    existingSecret: Name | None = None
    tokenKey: str | None = None


class Model(Values):
    path: Annotated[str, Field(min_length=1)] | None = None
    """`seed`, a directory that engines and trainer see, or a hub id."""
    dtype: Literal["float32", "bfloat16"] | None = None
    maxModelTokens: Annotated[int, Field(ge=16)] | None = None
    hub: Hub | None = None


class SharedVolume(Values):
    existingClaim: Name | None = None
    storageClassName: str | None = None
    accessModes: list[Literal["ReadWriteMany", "ReadWriteOnce"]] | None = None
    """ReadWriteOnce is enough where all pods run on one node."""
    size: Quantity | None = None


class ExternalRedis(Values):
    existingSecret: Name | None = None
    urlKey: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The only port that pods may reach outside of the release for Redis."""
    address: str | None = None
    """HOST:PORT, for KEDA."""
    passwordKey: str | None = None
    tls: bool | None = None


class Network(Values):
    enabled: bool | None = None
    metricsFrom: Objects | None = None
    """NetworkPolicy peers, e.g. the namespace of Prometheus."""
    redisFrom: Objects | None = None
    dnsTo: Objects | None = None
    """Empty: port 53 anywhere."""


class PodMonitor(Values):
    enabled: bool | None = None
    interval: str | None = None


class Enabled(Values):
    enabled: bool | None = None


class Monitoring(Values):
    labels: Texts | None = None
    """By which Prometheus finds PodMonitors and rules."""
    podMonitor: PodMonitor | None = None
    prometheusRule: Enabled | None = None
    dashboards: Enabled | None = None


class Tracing(Values):
    """The sandbox, which may reach nothing, sends no spans."""

    endpoint: Annotated[str, Field(pattern=r"^$|^https?://")] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    to: Objects | None = None
    """Empty: that port anywhere."""


class Tests(Values):
    judge: Annotated[str, Field(pattern=JUDGE_NAME)] | None = None
    """Asked by `helm test`."""


class Pdb(Values):
    enabled: bool | None = None
    maxUnavailable: Annotated[int, Field(ge=0)] | None = None


class Autoscaling(Values):
    kind: Literal["none", "hpa", "keda"] | None = None
    minReplicas: Annotated[int, Field(ge=1)] | None = None
    maxReplicas: Annotated[int, Field(ge=1)] | None = None
    cpuPercent: Annotated[int, Field(ge=1, le=100)] | None = None
    lagPerReplica: Annotated[int, Field(ge=1)] | None = None
    """Jobs that no worker has seen yet, for each replica."""
    scaleDownAfterSeconds: Annotated[int, Field(ge=0, le=3600)] | None = None


class Edges(Values):
    ingressFrom: Objects | None = None
    egress: Objects | None = None


class Component(Values):
    """The same keys everywhere."""

    enabled: bool | None = None
    replicas: Annotated[int, Field(ge=0)] | None = None
    image: Image | None = None
    config: Object | None = None
    env: Objects | None = None
    resources: Object | None = None
    tmpSize: Quantity | None = None
    shmSize: Annotated[str, Field(pattern=r"^$|^[0-9]+(\.[0-9]+)?[KMGT]i?$")] | None = None
    terminationGracePeriodSeconds: Annotated[int, Field(ge=1)] | None = None
    podAnnotations: Texts | None = None
    podLabels: Texts | None = None
    nodeSelector: Texts | None = None
    tolerations: Objects | None = None
    affinity: Object | None = None
    priorityClassName: str | None = None
    runtimeClassName: str | None = None
    extraVolumes: Objects | None = None
    extraVolumeMounts: Objects | None = None
    pdb: Pdb | None = None
    autoscaling: Autoscaling | None = None
    networkPolicy: Edges | None = None


class RolloutApi(Component):
    config: RolloutConfig | None = None


class LeaderWorkerSet(Values):
    enabled: bool | None = None
    """One engine over several nodes; needs the LeaderWorkerSet controller."""
    size: Annotated[int, Field(ge=2)] | None = None


class Engine(RolloutApi):
    workerResources: Object | None = None
    startupChecks: Annotated[int, Field(ge=1)] | None = None
    leaderWorkerSet: LeaderWorkerSet | None = None


class Rollout(Values):
    image: Image | None = None
    config: RolloutConfig | None = None
    api: RolloutApi | None = None
    engine: Engine | None = None


class RewardComponent(Component):
    config: RewardConfig | None = None


class Pools(Values):
    rules: RewardComponent | None = None
    code: RewardComponent | None = None
    model: RewardComponent | None = None


class Reward(Values):
    image: Image | None = None
    config: RewardConfig | None = None
    api: RewardComponent | None = None
    pools: Pools | None = None


class JudgeApi(Component):
    config: JudgeConfig | None = None


class KeySecret(Values):
    name: Annotated[Name, Field(min_length=1)]
    key: str


class JudgeWorker(JudgeApi):
    keySecret: KeySecret | None = None
    """Its key, in the file /etc/plaudit/judges/NAME/api_key."""
    internet: bool | None = None
    """Let it call HTTPS addresses outside of private networks."""


class Judge(Values):
    image: Image | None = None
    config: JudgeConfig | None = None
    api: JudgeApi | None = None
    judges: dict[Annotated[str, Field(pattern=JUDGE_NAME)], JudgeWorker] | None = None


class SandboxApi(Component):
    config: SandboxConfig | None = None


class Sandbox(Values):
    image: Image | None = None
    config: SandboxConfig | None = None
    api: SandboxApi | None = None


class TrainerComponent(Component):
    config: TrainerConfig | None = None


class Conductor(TrainerComponent):
    replicas: Annotated[int, Field(ge=1, le=1)] | None = None


class Learner(TrainerComponent):
    launcher: Literal["job", "jobset"] | None = None
    nodes: Annotated[int, Field(ge=1)] | None = None
    processesPerNode: Annotated[int, Field(ge=1)] | None = None
    """One for each GPU that a pod has."""
    maxRestarts: Annotated[int, Field(ge=0)] | None = None
    terminationGracePeriodSeconds: Annotated[int, Field(ge=30)] | None = None


class Trainer(Values):
    image: Image | None = None
    config: TrainerConfig | None = None
    run: Annotated[str, Field(pattern=r"^$|^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$")] | None = None
    recipe: str | None = None
    recipeText: str | None = None
    set: list[str] | None = None
    """As `plaudit train --set`, e.g. budget.steps=500."""
    deepspeed: Object | None = None
    dataClaim: Name | None = None
    conductor: Conductor | None = None
    learner: Learner | None = None


class Redis(Values):
    enabled: bool | None = None
    image: Image | None = None
    maxMemory: Annotated[str, Field(pattern=r"^[0-9]+(mb|gb)$")] | None = None
    storageClassName: str | None = None
    size: Quantity | None = None
    resources: Object | None = None
    tmpSize: Quantity | None = None
    pdb: Pdb | None = None
    nodeSelector: Texts | None = None
    tolerations: Objects | None = None
    affinity: Object | None = None
    priorityClassName: str | None = None


class ChartValues(Values):
    """The values of the chart `plaudit`."""

    nameOverride: str | None = None
    fullnameOverride: str | None = None
    images: Images | None = None
    auth: Auth | None = None
    model: Model | None = None
    sharedVolume: SharedVolume | None = None
    externalRedis: ExternalRedis | None = None
    networkPolicy: Network | None = None
    monitoring: Monitoring | None = None
    tracing: Tracing | None = None
    tests: Tests | None = None
    defaults: Component | None = None
    rollout: Rollout | None = None
    reward: Reward | None = None
    judge: Judge | None = None
    sandbox: Sandbox | None = None
    trainer: Trainer | None = None
    redis: Redis | None = None
    global_: Annotated[Object | None, Field(alias="global")] = None
    """Helm's own."""


def without_null(node: Any) -> Any:
    """A key may be left out, but null would take away a default that templates count on."""
    if isinstance(node, list):
        return [without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: without_null(value) for key, value in node.items() if key not in ("default", "title")
    }
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    some = [kind for kind in kept.get("anyOf", []) if kind != {"type": "null"}]
    if len(some) == 1:
        del kept["anyOf"]
        # Beside a $ref, draft 7 reads nothing else.
        kept = some[0] if "$ref" in some[0] else kept | some[0]
    return kept


def schema_text() -> str:
    schema = without_null(ChartValues.model_json_schema(by_alias=True))
    draft = {"$schema": "http://json-schema.org/draft-07/schema#"}
    return json.dumps(draft | schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema_text(), encoding="utf-8")
