"""Reading settings: PLAUDIT_<SERVICE>_<KEY> over PLAUDIT_<KEY> over plaudit.toml over defaults."""

import os
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from plaudit.config.api_key import key_in
from plaudit.config.names import describe_errors, nearest, unknown_name
from plaudit.config.settings import ServiceSettings
from plaudit.errors import ConfigError

SERVICES = ("rollout", "reward", "judge", "sandbox", "trainer")
PEER_KEYS = tuple(f"{service}_url" for service in SERVICES)
SHARED_KEYS = (
    "redis_url", "api_key", "api_key_file", "api_keys", "api_keys_file", "log_level", "log_format",
    "otlp_endpoint",
)  # fmt: skip
"""Keys that PLAUDIT_<KEY> or `[shared]` sets for all services at once."""
OTHER_VARIABLES = (
    "PLAUDIT_CONFIG",
    "PLAUDIT_DEBUG",
    "PLAUDIT_STATE_DIR",
    "PLAUDIT_CACHE_DIR",
    "PLAUDIT_ROLLOUT_PYTHON",
)
"""Variables of the launcher, some of which look like a service's."""
NEAR_MISS = 0.8

S = TypeVar("S", bound=ServiceSettings)


def load_settings(settings_class: type[S], service: str) -> S:
    """Settings of one service, with the keys of `api_key_file` and `api_keys_file` read in.

    Raises:
        ConfigError: names every wrong or unknown setting, its value, and what is allowed.
    """
    path, document = read_config_file()
    problems = unknown_variables(settings_class, service)
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, found in (
        (f"{path} [shared]", shared_table(settings_class, document, problems, path)),
        (f"{path} [{service}]", table(document, service, problems, path)),
        ("PLAUDIT_", from_environment(settings_class, "PLAUDIT_", problems)),
        (f"PLAUDIT_{service.upper()}_", from_environment(settings_class, service, problems)),
    ):
        values.update(found)
        origin.update(dict.fromkeys(found, source))
    add_key_file(values, problems)
    add_own_key(values, problems)
    settings = build(settings_class, service, values, origin, problems)
    if problems or settings is None:
        raise ConfigError(as_text(f"The settings of {service} are wrong", problems))
    return settings


def read_config_file() -> tuple[Path, dict[str, Any]]:
    """The file that PLAUDIT_CONFIG names, else ./plaudit.toml, else nothing."""
    named = os.environ.get("PLAUDIT_CONFIG")
    path = Path(named or "plaudit.toml")
    if not named and not path.exists():
        return path, {}
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"PLAUDIT_CONFIG = {str(path)!r} cannot be read: {error}.",
            fix="name a readable TOML file, or unset PLAUDIT_CONFIG.",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}.", fix="correct that line.") from error


def table(
    document: dict[str, Any], service: str, problems: list[str], path: Path
) -> dict[str, Any]:
    """The service's own section. A section of no service is refused: it is a misspelling."""
    sections = {*SERVICES, "shared", service}
    for name, value in document.items():
        if name not in sections:
            problems.append(unknown_name(f"{path} [{name}]", name, sections))
        elif not isinstance(value, dict):
            problems.append(f"{path} {name} = {value!r}: must be a section, [{name}]")
    found = document.get(service, {})
    return found if isinstance(found, dict) else {}


def shared_table(
    settings_class: type[ServiceSettings], document: dict[str, Any], problems: list[str], path: Path
) -> dict[str, Any]:
    found = document.get("shared", {})
    if not isinstance(found, dict):
        return {}
    allowed = (*SHARED_KEYS, *PEER_KEYS)
    for name in found:
        if name not in allowed:
            problems.append(unknown_name(f"{path} [shared] {name}", name, allowed))
    return {k: v for k, v in found.items() if k in allowed and k in settings_class.model_fields}


def from_environment(
    settings_class: type[ServiceSettings], service: str, problems: list[str]
) -> dict[str, Any]:
    """Variables of one prefix. `PLAUDIT_` as the service means those shared by all."""
    shared = service == "PLAUDIT_"
    prefix = service if shared else f"PLAUDIT_{service.upper()}_"
    source = EnvSettingsSource(settings_class, env_prefix=prefix, env_nested_delimiter="__")
    try:
        found = source()
    except SettingsError as error:
        problems.append(f"{prefix}*: {error}; lists and tables are written as JSON")
        return {}
    if shared:
        return {k: v for k, v in found.items() if k in (*SHARED_KEYS, *PEER_KEYS)}
    return found


def unknown_variables(settings_class: type[ServiceSettings], service: str) -> list[str]:
    """PLAUDIT_<SERVICE>_* that are no setting, and near misses of the shared variables."""
    prefix = f"PLAUDIT_{service.upper()}_"
    shared = {f"PLAUDIT_{key.upper()}" for key in (*SHARED_KEYS, *PEER_KEYS)}
    known = {prefix + key.upper() for key in settings_class.model_fields}
    lines = []
    for name in sorted(os.environ):
        upper = name.upper().split("__")[0]
        if upper in known or upper in shared or upper in OTHER_VARIABLES:
            continue
        if upper.startswith(prefix):
            lines.append(unknown_name(name, name, known))
        elif is_near_miss(upper, shared):
            lines.append(unknown_name(name, name, shared))
    return lines


def is_near_miss(name: str, shared: set[str]) -> bool:
    """PLAUDIT_REDIS_ULR would silently mean the default Redis."""
    others = tuple(f"PLAUDIT_{service.upper()}_" for service in SERVICES)
    if not name.startswith("PLAUDIT_") or name.startswith(others):
        return False
    bare = {key.removeprefix("PLAUDIT_") for key in shared}
    return nearest(name.removeprefix("PLAUDIT_"), bare, NEAR_MISS) is not None


def add_key_file(values: dict[str, Any], problems: list[str]) -> None:
    """Replaces `api_keys` by itself and the lines of `api_keys_file`."""
    path = values.get("api_keys_file")
    if not path:
        return
    try:
        lines = Path(str(path)).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"api_keys_file = {path!r}: cannot be read: {error}")
        return
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        problems.append(f"api_keys_file = {path!r}: holds no key; write one per line")
    try:
        own = ServiceSettings.split_keys(values.get("api_keys", []))
    except ValueError:
        return  # why: validation tells it, together with everything else.
    values["api_keys"] = [*own, *keys] if isinstance(own, list) else own


def add_own_key(values: dict[str, Any], problems: list[str]) -> None:
    """Sets `api_key` to what `api_key_file` holds, unless it is set itself."""
    path = values.get("api_key_file")
    if not path or values.get("api_key"):
        return
    try:
        values["api_key"] = key_in(Path(str(path)))
    except ConfigError as error:
        problems.append(f"api_key_file: {error}")


def build(
    settings_class: type[S],
    service: str,
    values: dict[str, Any],
    origin: dict[str, str],
    problems: list[str],
) -> S | None:
    try:
        return settings_class(**values)
    except ValidationError as error:
        for item, line in zip(
            error.errors(), describe_errors(settings_class, error, service), strict=True
        ):
            name = str(item["loc"][0]) if item["loc"] else ""
            problems.append(f"{line} (from {spelled(name, origin)})" if name in origin else line)
        return None


def spelled(name: str, origin: dict[str, str]) -> str:
    """The setting as it is written where it was found."""
    source = origin[name]
    return source + name.upper() if source.startswith("PLAUDIT_") else f"{source} {name}"


def as_text(title: str, problems: list[str]) -> str:
    return f"{title}:\n" + "\n".join(f"  {line}" for line in problems)
