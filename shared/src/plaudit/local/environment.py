"""Where things are on this machine: interpreters, programs, ports, directories, the Redis.

Settings come as for the services: environment variables over plaudit.toml over defaults.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plaudit.config.api_key import key_in
from plaudit.config.load import read_config_file
from plaudit.errors import ConfigError

PORTS = {"rollout": 8101, "reward": 8102, "judge": 8103, "sandbox": 8104, "trainer": 8105}
ENGINE_PORT = 8201
ENGINE_PORT_SETTING = "PLAUDIT_ROLLOUT_ENGINE_PORT"

DRAIN_SETTING = "PLAUDIT_TRAINER_DRAIN_TIMEOUT_S"
_LEARNER_STOP_TIMEOUT_S = 5.0
"""Short: a stop by Ctrl-C has to be over within 10 s in all."""

_ROLLOUT_PYTHON = "PLAUDIT_ROLLOUT_PYTHON"
REWARD_MODELS_SETTING = "PLAUDIT_REWARD_MODELS"
_JUDGES = "PLAUDIT_JUDGE_JUDGES"
LAUNCHER_VARIABLES = (_ROLLOUT_PYTHON, "PLAUDIT_STATE_DIR", "PLAUDIT_CACHE_DIR")
"""Meant for `plaudit` itself; services refuse variables that they do not know."""


@dataclass(frozen=True)
class Environment:
    """One look at the environment variables and the interpreter; nothing is started."""

    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: Path = field(default_factory=lambda: Path(sys.executable))
    document: Mapping[str, Any] = field(default_factory=lambda: read_config_file()[1])
    """plaudit.toml, when there is one."""

    @property
    def state_dir(self) -> Path:
        """Redis data and logs of `plaudit up`."""
        return self._directory("PLAUDIT_STATE_DIR", "XDG_STATE_HOME", "~/.local/state")

    @property
    def cache_dir(self) -> Path:
        """The seed model and its task."""
        return self._directory("PLAUDIT_CACHE_DIR", "XDG_CACHE_HOME", "~/.cache")

    @property
    def redis_url(self) -> str | None:
        """The Redis that the user runs; None: Plaudit starts its own."""
        return self._shared("redis_url")

    @property
    def api_key(self) -> str | None:
        """What services are called with: the trainer's own key, else the one for all, else what
        PLAUDIT_API_KEY_FILE holds. Raises ConfigError when that file holds no key."""
        own = self.document.get("trainer", {})
        default = own.get("api_key") if isinstance(own, dict) else None
        key = self.variables.get("PLAUDIT_TRAINER_API_KEY") or self.variables.get("PLAUDIT_API_KEY")
        if found := key or default or self._shared("api_key"):
            return found
        path = self._shared("api_key_file")
        return key_in(Path(path)).get_secret_value() if path else None

    @property
    def learner_stop_timeout_s(self) -> float:
        """How long a stopped learner may take for its step and a checkpoint, until it is killed:
        the trainer's `drain_timeout_s` where that is set. Raises ConfigError for no number."""
        text = self.variables.get(DRAIN_SETTING, str(_LEARNER_STOP_TIMEOUT_S))
        try:
            return float(text)
        except ValueError:
            fix = "give seconds"
            raise ConfigError(f"{DRAIN_SETTING}={text!r} is not a number.", fix=fix) from None

    def port(self, service: str) -> int:
        """Raises ConfigError when the setting is not a number."""
        return self._port(service, "port", port_setting(service), PORTS[service])

    def engine_port(self, replica: int) -> int:
        """vLLM of replica i listens on the setting plus i."""
        return self._port("rollout", "engine_port", ENGINE_PORT_SETTING, ENGINE_PORT) + replica

    def url(self, service: str) -> str:
        """Where peers find the service: the user's own address of it, or this machine."""
        return self.external_url(service) or f"http://127.0.0.1:{self.port(service)}"

    def external_url(self, service: str) -> str | None:
        """Set when the user runs that service elsewhere: it is then not started here."""
        return self._shared(f"{service}_url")

    @property
    def reward_models(self) -> frozenset[str] | None:
        """Names under [reward.models]; None where environment variables say them instead."""
        if any(name.startswith(REWARD_MODELS_SETTING) for name in self.variables):
            return None
        return frozenset(self.reward_model_tables)

    @property
    def reward_model_tables(self) -> Mapping[str, Any]:
        """Of [reward.models], or of the environment variable in its place."""
        section = self.document.get("reward", {})
        models = section.get("models", {}) if isinstance(section, dict) else {}
        if text := self.variables.get(REWARD_MODELS_SETTING):
            models = _parsed(text)
        return models if isinstance(models, dict) else {}

    @property
    def judges(self) -> tuple[str, ...]:
        """The configured ones and `self`, which is there without being named."""
        section = self.document.get("judge", {})
        judges = section.get("judges", {}) if isinstance(section, dict) else {}
        if text := self.variables.get(_JUDGES):
            judges = _parsed(text)
        named = judges if isinstance(judges, dict) else {}
        return ("self", *sorted(name for name in named if name != "self"))

    def command(self, service: str, *arguments: str) -> tuple[str, ...]:
        """How to run `plaudit-<service>`. Raises ConfigError when it is not installed."""
        script = _script(self.python, service)
        if script.exists():
            return (str(script), *arguments)
        if importlib.util.find_spec(f"plaudit_{service}") is not None:
            return (*_without_script(self.python, service), *arguments)
        raise ConfigError(
            f"plaudit-{service} is not installed beside {self.python}.",
            fix=f"run `make setup`, or pip install the directory services/{service}",
        )

    def rollout_python(self) -> Path:
        """The interpreter that has vLLM. Raises ConfigError when there is none."""
        if chosen := self.variables.get(_ROLLOUT_PYTHON):
            if not Path(chosen).is_file():
                raise ConfigError(
                    f"{_ROLLOUT_PYTHON}={chosen}: no such file.",
                    fix="name the Python of an environment with vLLM, or unset it",
                )
            return Path(chosen)
        candidates = [root / ".venv-rollout" / "bin" / "python" for root in self._roots()]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        if importlib.util.find_spec("vllm") is not None:
            return self.python
        raise ConfigError(
            f"no Python with vLLM: neither {candidates[0]} exists nor has {self.python} vLLM.",
            fix=f"run `make setup`, or set {_ROLLOUT_PYTHON}",
        )

    def engine_command(self, *arguments: str) -> tuple[str, ...]:
        """How to run the parts of the rollout service that live beside vLLM."""
        python = self.rollout_python()
        script = _script(python, "rollout")
        start = (str(script),) if script.exists() else _without_script(python, "rollout")
        return (*start, *arguments)

    def _port(self, service: str, key: str, setting: str, default: int) -> int:
        section = self.document.get(service, {})
        found = section.get(key, default) if isinstance(section, dict) else default
        text = self.variables.get(setting, str(found))
        if not text.isdigit() or not 0 < int(text) < 2**16:
            fix = "choose one from 1 to 65535"
            raise ConfigError(f"{setting}={text!r} is not a port.", fix=fix)
        return int(text)

    def _shared(self, key: str) -> str | None:
        section = self.document.get("shared", {})
        default = section.get(key) if isinstance(section, dict) else None
        return self.variables.get(f"PLAUDIT_{key.upper()}") or default or None

    def _roots(self) -> list[Path]:
        """The project: around the environment of this interpreter, else the current directory."""
        return [self.python.parent.parent.parent, Path.cwd()]

    def _directory(self, setting: str, xdg: str, default: str) -> Path:
        if own := self.variables.get(setting):
            return Path(own).expanduser().absolute()
        return Path(self.variables.get(xdg) or default).expanduser() / "plaudit"


def _parsed(text: str) -> Any:
    """None for what is no JSON: the service whose setting it is says so."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _script(python: Path, service: str) -> Path:
    return python.parent / f"plaudit-{service}"


def _without_script(python: Path, service: str) -> tuple[str, ...]:
    """The same as the console script, for a package that is only on the path."""
    code = (
        f"import sys; sys.argv[0] = 'plaudit-{service}'; "
        f"from plaudit_{service}.cli import main; sys.exit(main())"
    )
    return (str(python), "-c", code)


def port_setting(service: str) -> str:
    return f"PLAUDIT_{service.upper()}_PORT"
