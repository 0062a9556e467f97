"""values.schema.json: made by its script, and refusing what would be ignored."""

import runpy

import pytest

from .chart import CHART, needs_helm, template

SCRIPT = CHART.parent / "values_schema.py"


def test_the_schema_is_the_one_that_its_script_makes() -> None:
    made = runpy.run_path(str(SCRIPT))["schema_text"]()
    assert made == (CHART / "values.schema.json").read_text(), "run `make chart`"


@needs_helm
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("rollout.engine.replica=2", "replica is not allowed"),
        ("rolout.engine.replicas=2", "rolout is not allowed"),
        ("reward.config.worker_concurency=2", "worker_concurency is not allowed"),
        ("judge.config.api_keys=secret", "api_keys is not allowed"),
        ("reward.api.replicas=two", "Invalid type"),
        ("reward.api.replicas=-1", "greater than or equal to 0"),
        ("trainer.conductor.replicas=2", "less than or equal to 1"),
        ("images.tag=latest", "images.tag"),
        ("sandbox.api.autoscaling.kind=vpa", "must be one of"),
        ("judge.judges.My_Judge.replicas=1", "My_Judge"),
        ("sharedVolume.size=much", "sharedVolume.size"),
    ],
)
def test_a_wrong_value_is_refused_by_name(setting: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        template("cpu-demo", "--set", setting)


@needs_helm
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("externalRedis.existingSecret=redis", "redis.enabled: set it to false"),
        ("redis.enabled=false", "externalRedis.existingSecret: name the Secret"),
        ("auth.existingSecret=", "existingSecret"),
        ("judge.judges.api.replicas=1", "judge.judges.api"),
    ],
)
def test_values_that_contradict_each_other_are_told(setting: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        template("cpu-demo", "--set", setting)
