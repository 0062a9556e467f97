"""`helm template` itself: lint, repeatable, valid for Kubernetes, as it was, legal names."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from .chart import (
    CHART,
    SHAPES,
    Object,
    helm,
    needs_helm,
    objects,
    of_kind,
    pods,
    rendered,
    template,
)
from .kubernetes_schemas import check

pytestmark = needs_helm
GOLDEN = Path(__file__).parent / "golden"
VERSIONS = ("1.30", "1.33", "1.37")
BUILT_IN = re.compile(r"^(v1|(apps|batch|policy|autoscaling|networking\.k8s\.io)/v\d)$")
LONG = "a-release-name-of-fifty-three-characters-as-helm-allo"
DNS_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")


@pytest.mark.parametrize("shape", SHAPES)
def test_lint_finds_nothing(shape: str) -> None:
    done = helm("lint", "--strict", str(CHART), "-f", str(CHART / "ci" / f"{shape}.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_values_render_the_same_text(shape: str) -> None:
    assert template(shape) == rendered(shape)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str) -> None:
    different = {json.dumps(o, sort_keys=True): o for shape in SHAPES for o in objects(shape)}
    for item in different.values():
        if BUILT_IN.match(item["apiVersion"]):
            check(item, version)


def test_an_unknown_field_would_be_seen() -> None:
    (job,) = of_kind(objects("cpu-demo"), "Job")
    with pytest.raises(AssertionError, match="backofLimit"):
        check(job | {"spec": job["spec"] | {"backofLimit": 3}}, VERSIONS[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_else_changes_unseen(shape: str) -> None:
    """One line an object. After a change that was meant: make chart."""
    assert golden(shape) == (GOLDEN / f"{shape}.txt").read_text()


def golden(shape: str) -> str:
    return "".join(
        f"{item['kind']}/{item['metadata']['name']} {digest(item)}\n" for item in objects(shape)
    )


def digest(item: Object) -> str:
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:16]


def test_without_asking_nothing_needs_a_controller_that_a_cluster_lacks() -> None:
    assert all(BUILT_IN.match(item["apiVersion"]) for item in objects("cpu-demo"))


def test_two_releases_in_a_namespace_have_nothing_in_common() -> None:
    one, two = objects("everything-on"), objects("everything-on", release="other")
    assert not names(one) & names(two)
    for pod in pods(two):
        for item in of_kind(one, "Deployment", "StatefulSet"):
            selector = item["spec"]["selector"]["matchLabels"]
            assert not selector.items() <= pod["metadata"]["labels"].items()


def test_a_long_name_of_the_release_makes_legal_names() -> None:
    assert len(LONG) == 53
    for shape in ("cpu-demo", "everything-on"):
        for item in objects(shape, release=LONG):
            name = item["metadata"]["name"]
            assert DNS_LABEL.match(name), name
            # A controller puts a hash or a number behind it, into a label of 63 characters.
            assert item["kind"] not in ("StatefulSet", "LeaderWorkerSet") or len(name) <= 52
            assert item["kind"] not in ("Job", "JobSet") or len(name) <= 55
            assert all(len(value) <= 63 for value in item["metadata"]["labels"].values())


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert not names(objects("cpu-demo", release=LONG)) & names(
        objects("cpu-demo", release=LONG[:-1] + "x")
    )


def names(found: list[Object]) -> set[tuple[str, str]]:
    return {(item["kind"], item["metadata"]["name"]) for item in found}


def test_a_changed_setting_starts_those_pods_anew_that_read_it() -> None:
    before = checksums(objects("cpu-demo"))
    after = checksums(objects("cpu-demo", "--set", "reward.config.worker_concurrency=8"))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"reward-api", "reward-rules", "reward-code"}


def checksums(found: list[Object]) -> dict[str, str]:
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod["metadata"]["annotations"][
            "checksum/config"
        ]
        for pod in pods(found)
        if "checksum/config" in pod["metadata"].get("annotations", {})
    }


def test_a_changed_learner_is_another_job() -> None:
    """A Job's pods cannot be changed in place."""
    changed = objects("cpu-demo", "--set", "trainer.learner.maxRestarts=3")
    (before,), (after,) = of_kind(objects("cpu-demo"), "Job"), of_kind(changed, "Job")
    assert before["metadata"]["name"] != after["metadata"]["name"]


if __name__ == "__main__":
    for one in SHAPES:
        (GOLDEN / f"{one}.txt").write_text(golden(one))
