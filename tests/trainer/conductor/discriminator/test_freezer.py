"""While the policy is evaluated the discriminator stays as it is."""

import asyncio

import pytest

from plaudit.client import ClientOptions, RewardClient
from plaudit.errors import ConfigError, NotFound, Unavailable
from plaudit_trainer.conductor.discriminator import freezer as freezing
from plaudit_trainer.conductor.discriminator.freezer import Freezer
from plaudit_trainer.conductor.evaluation import EvalScorers
from plaudit_trainer.conductor.lifecycle import Lifecycle
from plaudit_trainer.conductor.watch import PolicyWatch


@pytest.fixture
async def freezer(rewards):
    async with RewardClient(rewards.url, ClientOptions(max_attempts=1)) as client:
        yield Freezer(client, "critic", "run-7")


async def test_it_is_frozen_in_the_runs_name_renewed_and_given_up(
    freezer, rewards, until, monkeypatch
):
    monkeypatch.setattr(freezing, "LEASE_S", 0.15)
    async with freezer.held():
        await until(lambda: len(rewards.freezes) >= 3)
        assert all(one.frozen and one.lease_s == 0.15 for one in rewards.freezes)
    assert not rewards.freezes[-1].frozen
    assert {(one.discriminator, one.owner) for one in rewards.freezes} == {("critic", "run-7.eval")}
    num_asked = len(rewards.freezes)
    await asyncio.sleep(0.1)
    assert len(rewards.freezes) == num_asked, "nobody renews it any more"


async def test_it_is_given_up_also_when_the_evaluation_fails(freezer, rewards):
    with pytest.raises(ZeroDivisionError):
        async with freezer.held():
            raise ZeroDivisionError
    assert [one.frozen for one in rewards.freezes] == [True, False]


async def test_a_service_that_is_away_stops_no_evaluation(freezer, rewards):
    rewards.refusal = Unavailable("it is being restarted")
    async with freezer.held():
        pass


async def test_a_discriminator_that_there_is_not_is_found_before_anything_is_trained(
    freezer, rewards
):
    rewards.refusal = NotFound("no discriminator is called 'critic'", fix="add a table")
    with pytest.raises(ConfigError, match=r"'critic'.*add a table"):
        async with freezer.held():
            raise AssertionError("it began")


async def test_a_run_freezes_it_for_both_evaluations_and_not_in_between(
    conductors, make_scorer, rows, rewards, learner, freezer
):
    context = conductors()
    scorer = make_scorer(context)
    lifecycle = Lifecycle(
        context, PolicyWatch(context), scorer, EvalScorers(scorer, scorer), rows, freezer=freezer
    )
    learns = asyncio.create_task(learner.learn(num_steps=3, num_groups=2))
    await asyncio.wait_for(asyncio.gather(lifecycle.run(), learns), 30)
    assert [one.frozen for one in rewards.freezes] == [True, False, True, False]
