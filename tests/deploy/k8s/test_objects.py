"""What the chart renders, against itself and against the code that it starts."""

import pytest
import typer
from fastapi import FastAPI
from fastapi.routing import APIRoute

import plaudit_judge.cli
import plaudit_reward.cli
import plaudit_rollout.cli
import plaudit_sandbox.cli
import plaudit_trainer.cli
from plaudit.service import create_app
from plaudit_rollout.settings import RolloutSettings

from .chart import (
    SHAPES,
    Object,
    containers,
    matches,
    needs_helm,
    objects,
    of_kind,
    pods,
    ports,
)

pytestmark = [needs_helm, pytest.mark.parametrize("shape", SHAPES)]
CLIS = {
    "plaudit-rollout": plaudit_rollout.cli.app,
    "plaudit-reward": plaudit_reward.cli.app,
    "plaudit-judge": plaudit_judge.cli.app,
    "plaudit-sandbox": plaudit_sandbox.cli.app,
    "plaudit-trainer": plaudit_trainer.cli.app,
}
PATHS_OF_VLLM = {"/health", "/v1/models", "/metrics"}
VOLUMES = {"emptyDir", "secret", "configMap", "persistentVolumeClaim"}


def test_a_workload_selects_its_own_pods(shape: str) -> None:
    for item in of_kind(objects(shape), "Deployment", "StatefulSet"):
        assert matches(item["spec"]["selector"]["matchLabels"], item["spec"]["template"])


def test_a_service_finds_pods_with_its_ports(shape: str) -> None:
    for service in of_kind(objects(shape), "Service"):
        selector = dict(service["spec"]["selector"])
        selector.pop("leaderworkerset.sigs.k8s.io/worker-index", None)
        found = [pod for pod in pods(objects(shape)) if matches(selector, pod)]
        assert found, service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert ports(found[0])[port["targetPort"]] == port["port"]


def test_budgets_policies_and_monitors_select_pods(shape: str) -> None:
    found = objects(shape)
    budgets = of_kind(found, "PodDisruptionBudget", "PodMonitor")
    selectors = [item["spec"]["selector"] for item in budgets]
    selectors += [item["spec"]["podSelector"] for item in of_kind(found, "NetworkPolicy")]
    for selector in selectors:
        assert any(matches(selector["matchLabels"], pod) for pod in pods(found)), selector


def test_every_pod_is_covered_by_the_policy_that_denies(shape: str) -> None:
    (deny,) = [p for p in of_kind(objects(shape), "NetworkPolicy") if "ingress" not in p["spec"]]
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"]
    for pod in pods(objects(shape)):
        assert matches(deny["spec"]["podSelector"]["matchLabels"], pod)


def test_probes_ask_for_what_is_answered(shape: str) -> None:
    paths = {r.path for r in health_app().routes if isinstance(r, APIRoute)}
    for pod in pods(objects(shape)):
        for container in containers(pod):
            own = {p["name"]: p["containerPort"] for p in container.get("ports", [])}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container.get(kind, {}).get("httpGet")
                if probe:
                    is_vllm = own[probe["port"]] == RolloutSettings().engine_port
                    assert probe["path"] in (PATHS_OF_VLLM if is_vllm else paths)


def health_app() -> FastAPI:
    """Workers have just these routes, APIs have them, too."""
    return create_app("any", RolloutSettings())


def test_whoever_serves_is_probed(shape: str) -> None:
    for item in of_kind(objects(shape), "Deployment", "StatefulSet", "LeaderWorkerSet"):
        pod = pods([item])[0]
        for container in pod["spec"]["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


def test_commands_are_those_of_the_services(shape: str) -> None:
    for pod in pods(objects(shape)):
        for container in containers(pod):
            program, *arguments = container["command"]
            if program in CLIS:
                group = typer.main.get_command(CLIS[program])
                name = arguments[0]
                command = group.commands[name]  # type: ignore[attr-defined]
                command.make_context(name, list(arguments[1:]))


def test_pods_are_restricted(shape: str) -> None:
    """The Pod Security Standard `restricted`, a root that cannot be written to, and no token."""
    for pod in pods(objects(shape)):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False, "PLAUDIT_*_PORT would be unknown settings"
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & spec.keys()
        for volume in spec["volumes"]:
            assert (volume.keys() - {"name"}) <= VOLUMES
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_everything_is_bounded(shape: str) -> None:
    for pod in pods(objects(shape)):
        for container in containers(pod):
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
        for volume in pod["spec"]["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]


def test_images_are_pinned(shape: str) -> None:
    for pod in pods(objects(shape)):
        for container in containers(pod):
            _, _, tag = container["image"].rpartition(":")
            assert tag and tag != "latest" and "/" not in tag, container["image"]


def test_mounts_have_volumes_and_configmaps_are_there(shape: str) -> None:
    found = objects(shape)
    maps = {item["metadata"]["name"] for item in of_kind(found, "ConfigMap")}
    claimed = {
        claim["metadata"]["name"]
        for item in of_kind(found, "StatefulSet")
        for claim in item["spec"].get("volumeClaimTemplates", [])
    }
    for pod in pods(found):
        volumes = pod["spec"]["volumes"]
        names = {volume["name"] for volume in volumes}
        assert {v["configMap"]["name"] for v in volumes if "configMap" in v} <= maps
        for container in containers(pod):
            assert {mount["name"] for mount in container["volumeMounts"]} <= names | claimed
            assert {e["configMapRef"]["name"] for e in container.get("envFrom", [])} <= maps


def test_an_autoscaler_owns_the_number_of_replicas(shape: str) -> None:
    scalers = of_kind(objects(shape), "HorizontalPodAutoscaler", "ScaledObject")
    owned = {item["spec"]["scaleTargetRef"]["name"] for item in scalers}
    for item in of_kind(objects(shape), "Deployment", "StatefulSet"):
        assert ("replicas" in item["spec"]) is (item["metadata"]["name"] not in owned)


def test_no_second_pod_with_gpus_comes_before_the_first_is_gone(shape: str) -> None:
    for item in of_kind(objects(shape), "Deployment"):
        for container in containers(item["spec"]["template"]):
            assert "nvidia.com/gpu" not in container["resources"]["limits"]


def test_secrets_are_named_never_held(shape: str) -> None:
    found: list[Object] = objects(shape)
    assert not of_kind(found, "Secret")
    for item in of_kind(found, "ConfigMap"):
        held = {"PLAUDIT_API_KEY", "PLAUDIT_API_KEYS"} & item["data"].keys()
        assert not held
        assert "@" not in item["data"].get("PLAUDIT_REDIS_URL", "")
