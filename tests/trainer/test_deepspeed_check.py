"""A DeepSpeed configuration of the user's own is looked at before anything starts."""

import json

import pytest

from plaudit.errors import ConfigError
from plaudit_trainer.deepspeed_check import check_deepspeed
from plaudit_trainer.learner.strategy import DIRECTORY


@pytest.fixture
def write(tmp_path):
    def call(text: str) -> str:
        path = tmp_path / "ds.json"
        path.write_text(text)
        return str(path)

    return call


@pytest.mark.parametrize("size", [{}, {"stage3_prefetch_bucket_size": "auto"}])
def test_weights_that_are_fetched_ahead_are_refused(write, size):
    path = write(json.dumps({"zero_optimization": {"stage": 3, **size}}))
    with pytest.raises(ConfigError, match=r"bucket_size is (not set|auto)") as error:
        check_deepspeed(path)
    assert 'set "stage3_prefetch_bucket_size": 0' in str(error.value.fix)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_what_is_no_configuration_is_named(write, text):
    with pytest.raises(ConfigError, match=r"learner\.deepspeed = .*ds\.json"):
        check_deepspeed(write(text))


def test_other_stages_may_do_as_they_like(write):
    check_deepspeed(write(json.dumps({"zero_optimization": {"stage": 2}})))
    check_deepspeed(write(json.dumps({"train_batch_size": 8})))
    check_deepspeed(None)


@pytest.mark.parametrize("path", sorted(DIRECTORY.glob("zero*.json")), ids=lambda path: path.stem)
def test_those_that_ship_pass(path):
    check_deepspeed(str(path))
