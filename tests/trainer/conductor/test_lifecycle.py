"""A run from start to summary, interrupted at will. The learner moves the ledger, no weights."""

import asyncio
from contextlib import suppress

import pytest

from plaudit.errors import ConfigError, Stalled, Unavailable
from plaudit_trainer.conductor.evaluation import EvalScorers
from plaudit_trainer.conductor.lifecycle import Lifecycle
from plaudit_trainer.conductor.watch import PolicyWatch


@pytest.fixture
def conduct(conductors, make_scorer, rows):
    """`conduct()` runs a conductor that has just started; None of its state is in memory."""

    def start(eval_rows=rows, **parts):
        context = conductors(**parts)
        scorer = make_scorer(context)
        lifecycle = Lifecycle(
            context, PolicyWatch(context), scorer, EvalScorers(scorer, scorer), eval_rows
        )
        return context, asyncio.create_task(lifecycle.run())

    return start


async def state_of(context):
    return (await context.ledger.progress()).get("state")


async def test_a_run_evaluates_trains_evaluates_and_closes_its_ledger(
    conduct, learner, run_dir, rollouts
):
    learns = asyncio.create_task(learner.learn(num_steps=3, num_groups=2))
    context, run = conduct()
    await asyncio.wait_for(asyncio.gather(run, learns), 30)
    assert await state_of(context) == "finished"
    assert len(learner.trained) == len(set(learner.trained)) == 6
    summary = run_dir.read_json("summary.json")
    ledger = summary["ledger"]
    assert ledger["in_flight"] == 0
    assert ledger["admitted"] == ledger["trained"] + sum(ledger["dropped"].values())
    assert ledger["trained"] == 6
    assert (summary["accuracy_before"], summary["accuracy_after"]) == (1.0, 1.0)
    states = [r["state"] for r in run_dir.read_jsonl("ledger.jsonl")]
    assert len(states) == ledger["admitted"], "each group's end is written down"


async def test_without_steps_a_run_is_one_evaluation(conduct, learner, run_dir, rollouts):
    learner.publish()
    learner.ledger.set_progress({"learner": "finished"})
    _, run = conduct(budget={"steps": 0})
    await asyncio.wait_for(run, 20)
    summary = run_dir.read_json("summary.json")
    assert (summary["accuracy_before"], summary["accuracy_after"]) == (1.0, None)
    assert (summary["num_eval_prompts"], summary["ledger"]["admitted"]) == (3, 0)
    assert len(rollouts.submitted) == 6, "each row sampled and greedy, once"


async def test_what_is_left_when_the_last_step_is_trained_is_dropped_as_run_over(
    conduct, learner, run_dir, rollouts, until
):
    learner.publish()
    parts = {"pipeline": {"max_staleness": 3}, "budget": {"steps": 2}}
    context, run = conduct(eval_rows=[], **parts)
    await until(lambda: learner.ledger.count_ready() == 4)
    rollouts.at_once = False
    for _ in range(2):
        learner.train(2)
        learner.publish()
    await context.ledger.admit(max_live=6, num_rows=5)
    learner.ledger.set_progress({"learner": "finished"})
    await asyncio.wait_for(run, 20)
    assert run_dir.read_json("summary.json")["ledger"] == {
        "admitted": 6, "trained": 4, "dropped": {"run_over": 2}, "in_flight": 0,
    }  # fmt: skip


async def test_a_finished_run_is_not_run_again(conduct, learner, run_dir, rollouts):
    learns = asyncio.create_task(learner.learn(num_steps=3, num_groups=2))
    _, run = conduct()
    await asyncio.wait_for(asyncio.gather(run, learns), 30)
    (run_dir.path / "summary.json").unlink()
    before = list(rollouts.submitted)
    _, again = conduct()
    await asyncio.wait_for(again, 5)
    assert rollouts.submitted == before and run_dir.read_json("summary.json") is None


@pytest.mark.parametrize("dies_after", ["eval_before.json", "groups.jsonl", "eval_after.json"])
async def test_a_conductor_that_dies_in_any_phase_is_succeeded(
    conduct, learner, run_dir, rollouts, until, dies_after
):
    rollouts.at_once = dies_after != "eval_before.json"
    learns = asyncio.create_task(learner.learn(num_steps=3, num_groups=2))
    _, first = conduct()
    if dies_after == "eval_before.json":
        await until(lambda: len(rollouts.prompts) == 6)
    else:
        await until(lambda: (run_dir.path / dies_after).is_file())
    await kill(first)

    rollouts.at_once = True
    for run_id, group_id in list(rollouts.prompts):
        rollouts.finish(group_id, run_id)
    context, second = conduct()
    await asyncio.wait_for(asyncio.gather(second, learns), 30)
    assert await state_of(context) == "finished"
    assert len(learner.trained) == len(set(learner.trained)) == 6
    counts = await context.ledger.counts()
    assert counts.is_closed() and counts.trained == 6
    assert run_dir.read_json("summary.json")["num_eval_prompts"] == 3


async def kill(task):
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_the_learners_failure_ends_the_run_with_its_reason(conduct, learner, until):
    learner.publish()
    context, run = conduct(eval_rows=[])
    await until(lambda: learner.ledger.count_ready() == 2)
    learner.ledger.fail(ConfigError("the disk is full"))
    with pytest.raises(Stalled, match="the disk is full"):
        await asyncio.wait_for(run, 10)
    progress = await context.ledger.progress()
    assert (progress["state"], progress["failure"]) == ("failed", "the disk is full")
    assert progress["failure_is_setting"] is True


async def test_a_failed_run_that_is_resumed_forgets_its_failure(conduct, learner):
    learner.ledger.fail(Stalled("an older failure"))
    learns = asyncio.create_task(learner.learn(num_steps=3, num_groups=2))
    context, run = conduct(eval_rows=[])
    await asyncio.wait_for(asyncio.gather(run, learns), 30)
    assert "failure" not in await context.ledger.progress()


async def test_a_learner_that_is_gone_ends_the_run_in_time_with_who_waits(
    conduct, learner, run_dir, until
):
    learner.publish()
    context, run = conduct(eval_rows=[], pipeline={"stall_timeout_s": 1.0})
    await until(lambda: learner.ledger.count_ready() == 2)
    learner.ledger.set_waiting("learner", "its GPU")
    with pytest.raises(Stalled, match="learner waits for its GPU"):
        await asyncio.wait_for(run, 10)
    assert await state_of(context) == "failed"
    assert (await context.ledger.progress())["failure_is_setting"] is False
    assert run_dir.read_json("stall.json")["ready"] == ["0/0/0", "0/1/0"]


async def test_a_failure_of_an_evaluation_is_told_as_it_is(conduct, learner, rollouts, rows):
    learner.publish()
    rollouts.at_once = False
    context, run = conduct(pipeline={"stall_timeout_s": 0.5})
    with pytest.raises((Stalled, Unavailable), match=r"stall_timeout_s"):
        await asyncio.wait_for(run, 10)
    assert await state_of(context) == "failed"
