"""Every setting that the chart renders is one that the service has, and says what is true."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from plaudit.config import ServiceSettings, load_settings
from plaudit_judge.settings import JudgeSettings
from plaudit_reward.settings import RewardSettings
from plaudit_rollout.settings import RolloutSettings
from plaudit_sandbox.settings import SandboxSettings
from plaudit_trainer.settings import TrainerSettings

from .chart import SHAPES, Object, component_of, needs_helm, objects, of_kind, pods, ports

pytestmark = [needs_helm, pytest.mark.parametrize("shape", SHAPES)]
SETTINGS: dict[str, type[ServiceSettings]] = {
    "rollout": RolloutSettings,
    "reward": RewardSettings,
    "judge": JudgeSettings,
    "sandbox": SandboxSettings,
    "trainer": TrainerSettings,
}
SERVICE = {"conductor": "trainer", "learner": "trainer"}
OTHERS = {"PLAUDIT_CACHE_DIR", "HF_HOME", "HF_HUB_OFFLINE", "HF_TOKEN_PATH"}


def environments(shape: str) -> dict[str, dict[str, str]]:
    maps = [m for m in of_kind(objects(shape), "ConfigMap") if "PLAUDIT_LOG_FORMAT" in m["data"]]
    return {component_of(item): item["data"] for item in maps}


def service_of(component: str) -> str:
    return SERVICE.get(component, component.partition("-")[0])


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for name in ("api_keys", "api_key"):
        (tmp_path / name).write_text("only-for-this-test\n")
    return tmp_path


def load(
    component: str, data: dict[str, str], monkeypatch: pytest.MonkeyPatch, keys: Path
) -> ServiceSettings:
    with monkeypatch.context() as patch:
        for name, value in data.items():
            patch.setenv(name, value.replace("/etc/plaudit/keys", str(keys)))
        return load_settings(SETTINGS[service_of(component)], service_of(component))


def test_services_accept_their_settings(
    shape: str, monkeypatch: pytest.MonkeyPatch, keys: Path
) -> None:
    for component, data in environments(shape).items():
        settings = load(component, data, monkeypatch, keys)
        own = SETTINGS[service_of(component)].model_fields
        prefix = f"PLAUDIT_{service_of(component).upper()}_"
        known = {prefix + key.upper() for key in own} | {f"PLAUDIT_{key.upper()}" for key in own}
        unread = {name for name in data if name not in known | OTHERS}
        assert all(name.endswith("_URL") for name in unread), unread
        if data.get("PLAUDIT_API_KEYS_FILE") or component == "sandbox":
            settings.check_exposure()


def test_only_the_sandbox_answers_without_a_key(shape: str) -> None:
    apis = {name for name in environments(shape) if name.endswith("-api")} | {"conductor"}
    open_ones = {n for n, d in environments(shape).items() if "AUTH" in "".join(d)}
    keyed = {n for n, d in environments(shape).items() if "PLAUDIT_API_KEYS_FILE" in d}
    assert (open_ones, keyed) == ({"sandbox"}, apis)


def test_containers_listen_where_their_settings_say(
    shape: str, monkeypatch: pytest.MonkeyPatch, keys: Path
) -> None:
    for pod in pods(objects(shape)):
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        if component not in environments(shape):
            continue
        settings = load(component, environments(shape)[component], monkeypatch, keys)
        own = ports(pod)
        assert own.get("metrics", 9100) == (settings.worker_port or 9100)
        if component == "rollout-engine" and "http" in own:
            assert isinstance(settings, RolloutSettings)
            assert own["http"] == settings.engine_port
        elif "http" in own:
            assert own["http"] == settings.port


def test_addresses_are_those_of_services(shape: str) -> None:
    found = of_kind(objects(shape), "Service")
    known = {(s["metadata"]["name"], p["port"]) for s in found for p in s["spec"]["ports"]}
    for component, data in environments(shape).items():
        urls = [value for name, value in data.items() if name.endswith("_URL")]
        urls += json.loads(data.get("PLAUDIT_JUDGE_ENGINE_URLS", "[]"))
        for url in urls:
            host, port = urlsplit(url).hostname or "", urlsplit(url).port
            assert (host.rpartition(".")[2], port) in known, f"{component}: {url}"


def test_a_password_of_redis_comes_from_a_secret(shape: str) -> None:
    for pod in pods(objects(shape)):
        for container in pod["spec"]["containers"]:
            for variable in container.get("env", []):
                if variable["name"] == "PLAUDIT_REDIS_URL":
                    assert secret_name(variable)


def secret_name(variable: Object) -> str:
    return str(variable["valueFrom"]["secretKeyRef"]["name"])
