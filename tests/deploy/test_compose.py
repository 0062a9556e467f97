"""deploy/compose and the Dockerfiles against the code that they start; nothing is built here."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

import plaudit.cli.main
import plaudit_judge.cli
import plaudit_reward.cli
import plaudit_rollout.cli
import plaudit_sandbox.cli
import plaudit_trainer.cli
from plaudit.config import ServiceSettings, load_settings
from plaudit.local.environment import PORTS
from plaudit.local.recipes import find_recipe
from plaudit_judge.settings import JudgeSettings
from plaudit_reward.settings import RewardSettings
from plaudit_rollout.settings import RolloutSettings
from plaudit_sandbox.settings import SandboxSettings
from plaudit_trainer.settings import TrainerSettings

from .compose_file import DIRECTORY, ROOT, dockerfile, image_of, read, services

SETTINGS: dict[str, type[ServiceSettings]] = {
    "rollout": RolloutSettings,
    "reward": RewardSettings,
    "judge": JudgeSettings,
    "sandbox": SandboxSettings,
    "trainer": TrainerSettings,
}
CLIS = {
    "plaudit": plaudit.cli.main.app,
    "plaudit-rollout": plaudit_rollout.cli.app,
    "plaudit-reward": plaudit_reward.cli.app,
    "plaudit-judge": plaudit_judge.cli.app,
    "plaudit-sandbox": plaudit_sandbox.cli.app,
    "plaudit-trainer": plaudit_trainer.cli.app,
}
SERVICES = services()
OURS = [name for name, service in SERVICES.items() if image_of(service) in SETTINGS]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for name in ("api_keys", "api_key"):
        (tmp_path / name).write_text("only-for-this-test\n")
    return tmp_path


def settings_of(name: str, monkeypatch: pytest.MonkeyPatch, secrets: Path) -> ServiceSettings:
    """What the container's process reads from the environment that compose gives it."""
    for key, value in SERVICES[name].get("environment", {}).items():
        text = str(value).replace("/run/secrets", str(secrets))
        monkeypatch.setenv(key, text.replace("/etc/plaudit", str(DIRECTORY)))
    image = image_of(SERVICES[name])
    return load_settings(SETTINGS[image], image)


def health_url(name: str) -> str:
    given = SERVICES[name].get("environment", {}).get("HEALTH_URL")
    in_image = re.search(r"HEALTH_URL=(\S+)", dockerfile(image_of(SERVICES[name])))
    return str(given or in_image[1])


def command(name: str) -> list[str]:
    """None of its own means the image's."""
    given = SERVICES[name].get("command")
    in_image = re.findall(r"^CMD \[(.*)\]$", dockerfile(image_of(SERVICES[name])), re.MULTILINE)
    return list(given) if given else [word.strip(' "') for word in in_image[-1].split(",")]


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_every_container_are_accepted(
    name: str, monkeypatch: pytest.MonkeyPatch, secrets: Path
) -> None:
    settings = settings_of(name, monkeypatch, secrets)
    for key in SERVICES[name].get("environment", {}):
        assert key in known_variables(name), f"{key} is read by nobody"
    if name != "seed" and not {"worker", "engine"} & set(command(name)):
        settings.check_exposure()


def known_variables(name: str) -> set[str]:
    image = image_of(SERVICES[name])
    own = {f"PLAUDIT_{image.upper()}_{key.upper()}" for key in SETTINGS[image].model_fields}
    shared = {f"PLAUDIT_{key.upper()}" for key in SETTINGS[image].model_fields}
    peers = {f"PLAUDIT_{peer.upper()}_URL" for peer in SETTINGS}
    other = {"PLAUDIT_CONFIG", "HEALTH_URL", "RECIPE", "RUN", "TRAIN_OPTIONS"}
    return own | shared | peers | other


@pytest.mark.parametrize("name", [name for name in OURS if name != "seed"])
def test_health_is_asked_where_it_is_answered(
    name: str, monkeypatch: pytest.MonkeyPatch, secrets: Path
) -> None:
    settings = settings_of(name, monkeypatch, secrets)
    url = urlsplit(health_url(name))
    if isinstance(settings, RolloutSettings) and command(name)[-1] == "engine":
        assert (url.port, url.path) == (settings.engine_port, "/health")
    elif "worker" in command(name):
        assert (url.port, url.path) == (settings.worker_port, "/livez")
    else:
        assert (url.port, url.path) == (settings.port, "/livez")
        published = [str(port).rsplit(":", 1)[1] for port in SERVICES[name].get("ports", [])]
        assert published in ([], [str(PORTS[image_of(SERVICES[name])])])


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str) -> None:
    calls = re.findall(r"plaudit(?:-[a-z]+)? [^|;\n]*", " ".join(command(name)))
    assert calls
    for call in calls:
        program, verb, *arguments = call.replace('"', "").replace("$$TRAIN_OPTIONS", "").split()
        group: Any = typer.main.get_command(CLIS[program])
        group.commands[verb].make_context(verb, arguments)


def test_the_recipe_that_is_trained_by_default_is_shipped() -> None:
    assert find_recipe(SERVICES["trainer"]["environment"]["RECIPE"]).is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert "privileged" not in service
    tag = str(service["image"]).partition(":")[2]
    assert tag
    assert "latest" not in tag
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_sandbox_reaches_nothing_and_only_one_worker_reaches_it() -> None:
    assert SERVICES["sandbox"]["networks"] == ["sandbox"]
    assert read()["networks"]["sandbox"] == {"internal": True}
    beside = {n for n, one in SERVICES.items() if "sandbox" in one.get("networks", [])}
    assert beside - {"sandbox"} == {"reward-code", "prometheus"}
    assert SERVICES["prometheus"]["profiles"] == ["obs"]
    assert "secrets" not in SERVICES["sandbox"]
    assert "secrets" not in SERVICES["reward-code"]


def test_only_what_calls_paid_apis_reaches_the_internet() -> None:
    networks = read()["networks"]
    assert networks["backend"] == networks["engines"] == {"internal": True}
    outside = {n for n, one in SERVICES.items() if "outside" in one.get("networks", [])}
    assert outside == {"judge-claude", "judge-nemotron"}
    assert all(SERVICES[name]["profiles"] for name in outside)
    for name, service in SERVICES.items():
        assert service.get("network_mode") == "none" or service["networks"], name


def test_what_is_waited_for_says_when_it_is_healthy() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                image = image_of(SERVICES[name])
                assert "healthcheck" in SERVICES[name] or "HEALTHCHECK" in dockerfile(image)


def test_volumes_networks_secrets_and_files_that_are_used_are_there() -> None:
    document = read()
    for name, service in SERVICES.items():
        assert set(service.get("networks", [])) <= document["networks"].keys()
        assert set(service.get("secrets", [])) <= document["secrets"].keys()
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            optional = name in {"prometheus", "grafana"}
            assert optional or source in document["volumes"] or (DIRECTORY / source).exists()
    init = (DIRECTORY / "init.sh").read_text()
    assert all(secret in init for secret in document["secrets"])


def test_every_variable_of_the_compose_files_is_in_the_example() -> None:
    example = (DIRECTORY / ".env.example").read_text()
    for file in ("compose.yaml", "compose.gpu.yaml"):
        for name in re.findall(r"\$\{(\w+):-", (DIRECTORY / file).read_text()):
            assert re.search(rf"^#?{name}=", example, re.MULTILINE), name


def test_gpus_are_named_by_id_and_only_in_their_own_file() -> None:
    assert "devices" not in (DIRECTORY / "compose.yaml").read_text()
    gpu = read("compose.gpu.yaml")["services"]
    assert gpu.keys() <= SERVICES.keys()
    for name in ("rollout-engine", "trainer"):
        (device,) = gpu[name]["deploy"]["resources"]["reservations"]["devices"]
        assert device["device_ids"]
        assert device["capabilities"] == ["gpu"]


@pytest.mark.parametrize("service", SETTINGS)
def test_an_image_is_pinned_labelled_healthy_and_not_root(service: str) -> None:
    text = dockerfile(service)
    assert re.search(r"^ARG BASE=\S+:\d\S+$", text, re.MULTILINE)
    assert text.rindex("USER 10001") > text.rindex("\nFROM ")
    assert "HEALTHCHECK" in text
    for label in ("licenses", "revision"):
        assert f"org.opencontainers.image.{label}=" in text
    assert text.index("image.sh dependencies") < text.index(f"COPY services/{service} ")


LOCKED = {
    "constraints.txt": (
        "shared",
        "services/reward[model]",
        "services/judge[claude]",
        "services/sandbox",
        "services/trainer[train,tracking]",
    ),
    "constraints-rollout.txt": ("shared", "services/rollout"),
}


def pinned(file: str) -> dict[str, str]:
    lines = (ROOT / "scripts" / file).read_text().split()
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("file", LOCKED)
def test_the_exact_versions_are_those_that_the_packages_allow(file: str) -> None:
    script = [sys.executable, "scripts/requirements.py", *LOCKED[file]]
    asked = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    versions = pinned(file)
    for one in map(Requirement, asked.splitlines()):
        assert one.specifier.contains(versions[canonicalize_name(one.name)]), one


def test_both_environments_agree_on_what_weights_depend_on() -> None:
    trainer, rollout = pinned("constraints.txt"), pinned("constraints-rollout.txt")
    for name in ("torch", "transformers", "tokenizers", "safetensors"):
        assert trainer[name] == rollout[name], name
