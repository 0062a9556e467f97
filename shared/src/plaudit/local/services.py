"""The topology: which processes make a service, on which port, and what each needs first."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from plaudit.errors import ConfigError
from plaudit.local.environment import (
    DRAIN_SETTING,
    ENGINE_PORT_SETTING,
    LAUNCHER_VARIABLES,
    Environment,
    port_setting,
)
from plaudit.local.ports import PortUse
from plaudit.local.process import ProcessSpec
from plaudit.local.ready import HttpReady
from plaudit.local.redis import LocalRedis

SERVICES = ("rollout", "reward", "judge", "sandbox")
REWARD_API = "reward"
"""The process that answers which rewards there are."""
NEEDS: dict[str, tuple[str, ...]] = {
    "rollout": (),
    "reward": (),
    "judge": ("rollout",),  # the judge `self` is the policy in the rollout service's vLLM
    "sandbox": (),
}
_ENGINE_READY_TIMEOUT_S = 900.0
_ENGINE_STOP_TIMEOUT_S = 5.0
_DRAIN_TIMEOUT_S = "2.5"


@dataclass(frozen=True)
class Model:
    """What the engines serve."""

    path: str
    max_model_tokens: int = 1024
    dtype: str = "float32"
    max_lora_rank: int = 0
    """0: they are given whole weights only."""

    def env(self) -> dict[str, str]:
        settings = {
            "PLAUDIT_ROLLOUT_MODEL": self.path,
            "PLAUDIT_ROLLOUT_MAX_MODEL_TOKENS": str(self.max_model_tokens),
            "PLAUDIT_ROLLOUT_DTYPE": self.dtype,
        }
        if self.max_lora_rank:
            settings["PLAUDIT_ROLLOUT_MAX_LORA_RANK"] = str(self.max_lora_rank)
        # With a model on disk a look at the hub is only a way to fail.
        offline = "true" if Path(self.path).is_dir() else "false"
        return settings | {"PLAUDIT_ROLLOUT_HUB_OFFLINE": offline}


@dataclass(frozen=True)
class Topology:
    """The processes of `services` on this machine. `redis` is None when the user runs one."""

    environment: Environment
    services: tuple[str, ...]
    redis: LocalRedis | None = None
    model: Model | None = None
    num_replicas: int = 1
    uses_reward_models: bool = False
    """Start their worker even where no model is configured, so that it says so."""
    extra_env: dict[str, str] = field(default_factory=dict)

    def specs(self) -> list[ProcessSpec]:
        """Dependencies first. Raises ConfigError when something is not installed."""
        specs = [self.redis.spec()] if self.redis is not None else []
        builders = {
            "sandbox": self._sandbox,
            "rollout": self._rollout,
            "reward": self._reward,
            "judge": self._judge,
        }
        for service, build in builders.items():
            if service in self.services:
                specs += build()
        common = self._common_env()
        return [
            replace(spec, env=common | dict(spec.env), without_env=LAUNCHER_VARIABLES)
            for spec in specs
        ]

    def ports(self) -> list[PortUse]:
        uses = [self._port_use(service) for service in self.services]
        if "rollout" in self.services:
            uses += [
                PortUse(self.environment.engine_port(i), f"vLLM {i}", ENGINE_PORT_SETTING)
                for i in range(self.num_replicas)
            ]
        return uses

    def _common_env(self) -> dict[str, str]:
        env = {f"PLAUDIT_{s.upper()}_URL": self.environment.url(s) for s in self.services}
        if self.redis is not None:
            env["PLAUDIT_REDIS_URL"] = self.redis.url
        return {"PYTHONUNBUFFERED": "1"} | env | self.extra_env

    def _port_use(self, service: str) -> PortUse:
        return PortUse(self.environment.port(service), service, port_setting(service))

    def _ready(self, service: str) -> HttpReady:
        return HttpReady(f"http://127.0.0.1:{self.environment.port(service)}/readyz")

    def _with_redis(self, *others: str) -> tuple[str, ...]:
        return (*(("redis",) if self.redis is not None else ()), *others)

    def _service(self, name: str, *arguments: str, depends_on: tuple[str, ...] = ()) -> ProcessSpec:
        """`<service>-<what it is>` run by the console script of the service."""
        service = name.partition("-")[0]
        return ProcessSpec(
            name,
            self.environment.command(service, *arguments),
            env=self._service_env(service),
            depends_on=depends_on,
            ready=self._ready(service) if arguments == ("api",) else None,
        )

    def _service_env(self, service: str) -> dict[str, str]:
        env = {port_setting(service): str(self.environment.port(service))}
        if service == "judge" and "rollout" in self.services:
            engines = [self._engine_url(index) for index in range(self.num_replicas)]
            env["PLAUDIT_JUDGE_ENGINE_URLS"] = json.dumps(engines)
        drain = f"PLAUDIT_{service.upper()}_DRAIN_TIMEOUT_S"
        # Shorter than the default: a stop by Ctrl-C has to be over within 10 s in all.
        return env | ({} if drain in self.environment.variables else {drain: _DRAIN_TIMEOUT_S})

    def _engine_url(self, index: int) -> str:
        return f"http://127.0.0.1:{self.environment.engine_port(index)}"

    def _sandbox(self) -> list[ProcessSpec]:
        return [self._service("sandbox", "api")]

    def _reward(self) -> list[ProcessSpec]:
        redis = self._with_redis()
        specs = [
            self._service(REWARD_API, "api", depends_on=redis),
            self._service("reward-rules", "worker", "--pool", "rules", depends_on=redis),
        ]
        if "sandbox" in self.services:
            needs = self._with_redis("sandbox")
            specs.append(self._service("reward-code", "worker", "--pool", "code", depends_on=needs))
        elif self.environment.external_url("sandbox"):
            specs.append(self._service("reward-code", "worker", "--pool", "code", depends_on=redis))
        if self.uses_reward_models or self.environment.reward_models != frozenset():
            worker = self._service("reward-model", "worker", "--pool", "model", depends_on=redis)
            specs.append(worker)
        return specs

    def _judge(self) -> list[ProcessSpec]:
        redis = self._with_redis()
        engines = tuple(f"engine-{i}" for i in range(self.num_replicas))
        needs = self._with_redis(*(engines if "rollout" in self.services else ()))
        workers = [self._judge_worker(name, needs) for name in self.environment.judges]
        return [self._service("judge", "api", depends_on=redis), *workers]

    def _judge_worker(self, name: str, needs: tuple[str, ...]) -> ProcessSpec:
        """`self` lacks nothing. Another that lacks its key ends with 0, and is let be."""
        arguments = ("worker", "--judge", name)
        if name == "self":
            return self._service(f"judge-{name}", *arguments, depends_on=needs)
        spec = self._service(f"judge-{name}", *arguments, "--if-available", depends_on=needs)
        return replace(spec, restart="on_failure")

    def _rollout(self) -> list[ProcessSpec]:
        specs = [self._service("rollout", "api", depends_on=self._with_redis())]
        for index in range(self.num_replicas):
            specs += self._replica(index)
        return specs

    def _replica(self, index: int) -> list[ProcessSpec]:
        """An engine and the worker beside it."""
        assert self.model is not None
        port = self.environment.engine_port(index)
        env = (
            self.model.env()
            | self._service_env("rollout")
            | {
                "PLAUDIT_ROLLOUT_REPLICA": str(index),
                ENGINE_PORT_SETTING: str(port),
                "PLAUDIT_ROLLOUT_ENGINE_URL": self._engine_url(index),
            }
        )
        engine = ProcessSpec(
            f"engine-{index}",
            self.environment.engine_command("engine"),
            env=env,
            ready=HttpReady(f"{self._engine_url(index)}/health"),
            ready_timeout_s=_ENGINE_READY_TIMEOUT_S,
            stop_timeout_s=_ENGINE_STOP_TIMEOUT_S,
        )
        worker = ProcessSpec(
            f"rollout-{index}",
            self.environment.engine_command("worker"),
            env=env,
            depends_on=self._with_redis(engine.name),
        )
        return [engine, worker]


def with_needs(names: Iterable[str]) -> tuple[str, ...]:
    """The named services (none: all) and what they need. Raises ConfigError for an unknown name."""
    wanted = list(names) or list(SERVICES)
    for name in wanted:
        if name not in SERVICES:
            choices = ", ".join(SERVICES)
            raise ConfigError(f"{name!r} is not a service.", fix=f"choose from {choices}")
        wanted += [need for need in NEEDS[name] if need not in wanted]
    return tuple(service for service in SERVICES if service in wanted)


def training_specs(
    environment: Environment,
    run_dir: Path,
    services: Sequence[ProcessSpec],
    learner: tuple[str, ...],
    learner_env: dict[str, str],
    redis_url: str | None = None,
) -> list[ProcessSpec]:
    """The conductor and the learner of one run, to be put after the `services` they use.

    `redis_url`: the Redis, unless it is among the `services`.
    """
    shared_env = _trainer_env(environment, services)
    shared_env |= {} if redis_url is None else {"PLAUDIT_REDIS_URL": redis_url}
    conductor = ProcessSpec(
        "conductor",
        environment.command("trainer", "conductor", "--run-dir", str(run_dir)),
        env=shared_env
        | ({} if DRAIN_SETTING in environment.variables else {DRAIN_SETTING: _DRAIN_TIMEOUT_S}),
        without_env=LAUNCHER_VARIABLES,
        ready=HttpReady(f"http://127.0.0.1:{environment.port('trainer')}/livez"),
        ready_timeout_s=120.0,
        depends_on=_present(services, {"redis", "rollout", "reward", "judge", "sandbox"}),
        fatal_exit_codes=FATAL_RUN_EXIT_CODES,
    )
    trainer = ProcessSpec(
        "learner",
        learner,
        env=shared_env | learner_env,
        without_env=LAUNCHER_VARIABLES,
        restart="on_failure",
        depends_on=_present(services, {"redis"}),
        stop_timeout_s=environment.learner_stop_timeout_s,
        fatal_exit_codes=FATAL_RUN_EXIT_CODES,
    )
    return [conductor, trainer]


FATAL_RUN_EXIT_CODES = frozenset({2, 3})
"""2: a setting is wrong; 3: the run failed, e.g. it stalled, and a restart would not mend it."""


def _present(services: Sequence[ProcessSpec], names: Collection[str]) -> tuple[str, ...]:
    return tuple(spec.name for spec in services if spec.name in names)


def _trainer_env(environment: Environment, services: Sequence[ProcessSpec]) -> dict[str, str]:
    """Where the services of other commands are, and the addresses that those of this one have."""
    elsewhere = {f"PLAUDIT_{s.upper()}_URL": environment.url(s) for s in SERVICES}
    given = {
        key: value
        for spec in services
        for key, value in spec.env.items()
        if key == "PLAUDIT_REDIS_URL" or (key.startswith("PLAUDIT_") and key.endswith("_URL"))
    }
    return elsewhere | given
