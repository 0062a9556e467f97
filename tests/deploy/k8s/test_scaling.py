"""Autoscalers ask for what the code calls its queues."""

from importlib.resources import files
from itertools import chain

import pytest

from plaudit.queue.model import LANES
from plaudit_judge.settings import queue_names
from plaudit_reward.settings import queue_name as reward_queue_name
from plaudit_rollout.settings import QUEUE_NAME

from .chart import Object, component_of, named, needs_helm, objects, of_kind

pytestmark = needs_helm
KEDA = ("rollout.engine", "reward.pools.rules", "reward.pools.code", "judge.judges.self")
ALL = tuple(chain.from_iterable(("--set", f"{name}.autoscaling.kind=keda") for name in KEDA))
QUEUES = {
    "rollout-engine": [QUEUE_NAME],
    "reward-rules": [reward_queue_name("rules")],
    "reward-code": [reward_queue_name("code")],
    "judge-self": queue_names("self"),
}


def scaled(*more: str) -> dict[str, Object]:
    found = of_kind(objects("cpu-demo", *ALL, *more), "ScaledObject")
    return {component_of(item): item["spec"] for item in found}


def streams(spec: Object) -> set[str]:
    return {trigger["metadata"]["stream"] for trigger in spec["triggers"]}


def test_the_streams_are_those_of_the_queues() -> None:
    written = {f"plaudit:q:{name}:{lane}" for q in QUEUES.values() for name in q for lane in LANES}
    for component, spec in scaled().items():
        assert streams(spec) <= written
        for queue in QUEUES[component]:
            assert any(stream.startswith(f"plaudit:q:{queue}:") for stream in streams(spec))
        assert {stream.rpartition(":")[2] for stream in streams(spec)} == set(LANES)
    assert scaled().keys() == QUEUES.keys()


def test_a_queue_of_one_lane_is_asked_for_that_lane() -> None:
    expected = {f"plaudit:q:{queue_names('self')[i]}:{lane}" for i, lane in enumerate(LANES)}
    assert streams(scaled()["judge-self"]) == expected


def test_the_group_is_the_one_that_workers_make() -> None:
    prelude = (files("plaudit.queue") / "scripts" / "_prelude.lua").read_text()
    assert "GROUP, LANES = KEYS[1], 'workers'" in prelude
    for spec in scaled().values():
        assert {t["metadata"]["consumerGroup"] for t in spec["triggers"]} == {"workers"}
        # Pending entries never outnumber what the workers hold, so they ask for no more of them.
        assert all("pendingEntriesCount" not in t["metadata"] for t in spec["triggers"])


def test_one_worker_stays_since_it_makes_the_groups() -> None:
    assert all(spec["minReplicaCount"] >= 1 for spec in scaled().values())


def test_keda_takes_texts() -> None:
    for spec in scaled().values():
        for trigger in spec["triggers"]:
            assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_many_engines_are_asked_through_their_service() -> None:
    """By name only while their number stands."""
    fixed = named(objects("many-gpu-nodes"), "ConfigMap", "judge-self")["data"]
    assert fixed["PLAUDIT_JUDGE_ENGINE_URLS"].count("http://") == 8
    scaling = named(objects("cpu-demo", *ALL), "ConfigMap", "judge-self")["data"]
    assert scaling["PLAUDIT_JUDGE_ENGINE_URLS"] == '["http://rel-plaudit-rollout-engine:8201"]'


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("trainer.conductor.autoscaling.kind=hpa", "conductor: autoscaling.kind hpa"),
        ("reward.api.autoscaling.kind=keda", "it has no queue of its own"),
    ],
)
def test_what_cannot_be_scaled_says_so(settings: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        objects("cpu-demo", "--set", settings)
