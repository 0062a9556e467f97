"""The best checkpoint is that of the best steps, and is kept."""

import pytest

from plaudit.errors import ConfigError
from plaudit_trainer.learner.best import BestBy


def test_a_checkpoint_is_as_good_as_the_mean_since_the_last_one():
    best = BestBy("rewards/accuracy/mean")
    for value in (0.25, 0.75):
        best.note({"rewards": {"accuracy": {"mean": value}}})
    assert best.drain() == 0.5
    best.note({"rewards": {"accuracy": {"mean": 1.0}}})
    assert best.drain() == 1.0


def test_without_a_step_in_between_nothing_is_known():
    assert BestBy("reward").drain() is None


def test_a_figure_that_is_missing_now_and_then_counts_where_it_is():
    best = BestBy("eval/accuracy")
    best.note({"loss": 1.0, "eval": {"accuracy": 0.5}})
    best.note({"loss": 1.0})
    assert best.drain() == 0.5
    best.note({"loss": 1.0})
    assert best.drain() is None


def test_a_figure_that_no_step_has_is_refused_with_those_there_are():
    best = BestBy("acuracy")
    best.note({"loss": 1.0, "reward": 0.5})
    with pytest.raises(ConfigError, match="loss, reward"):
        best.drain()


def test_nothing_is_asked_when_no_figure_is_named():
    best = BestBy(None)
    best.note({"reward": 1.0})
    assert best.drain() is None
