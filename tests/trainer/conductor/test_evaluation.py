"""Held-out accuracy comes through the same services, and survives what happens to them."""

import asyncio
from dataclasses import replace

import pytest

from plaudit.errors import Stalled, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.recipe import EvalRecipe
from plaudit_trainer.conductor import evaluation
from plaudit_trainer.conductor.evaluation import EvalScorers, Evaluation, choose_rows, shown_ids
from plaudit_trainer.conductor.main import eval_rewards, shown_rewards
from plaudit_trainer.data import Row

RUN = "r.eval-before"


def row(number, kind="math"):
    return Row(id=str(number), kind=kind, prompt=[Message(role="user", content="?")], reference={})


@pytest.fixture
def evaluate(make_scorer):
    def make(context, rows):
        scorer = make_scorer(context)
        return Evaluation(context, EvalScorers(scorer, scorer), rows, "before").run()

    return make


def test_rows_that_count_come_first_and_some_of_the_others_are_shown():
    rows = [row(i, "free" if i % 2 else "math") for i in range(10)]
    recipe = EvalRecipe(num_prompts=3, num_sample_rows=2, reward_by_kind={"math": "accuracy"})
    assert [chosen.id for chosen in choose_rows(rows, recipe)] == ["0", "2", "4", "1", "3"]


async def test_every_row_is_sampled_and_answered_greedily_and_settled(
    conductors, rollouts, evaluate, rows
):
    context = conductors(method={"temperature": 0.7})
    report = await evaluate(context, rows[:3])
    assert (report["accuracy"], report["greedy"]) == (1.0, 1.0)
    assert report["by_prompt"] == {"0": 1.0, "1": 1.0, "2": 1.0}
    assert rollouts.lanes == {"eval"}
    assert sorted(rollouts.submitted) == sorted(rollouts.acked)
    assert sorted(rollouts.submitted) == [
        f"{i}/{m}" for i in range(3) for m in ("greedy", "sampled")
    ]
    assert context.waiting.entries() == []
    assert await context.ledger.counts() == await conductors().ledger.counts()
    assert (await context.ledger.counts()).admitted == 0, "held-out groups are never trained"


async def test_sampling_is_that_of_training_and_greedy_draws_once(conductors, rollouts, evaluate):
    rollouts.loses_acks = True
    context = conductors(method={"temperature": 0.7, "max_completion_tokens": 5})
    await evaluate(context, [row(0), row(1, "free")])
    sampled, greedy = (rollouts.prompts[RUN, f"0/{mode}"] for mode in ("sampled", "greedy"))
    assert (sampled.n, sampled.sampling.temperature, sampled.sampling.max_tokens) == (2, 0.7, 5)
    assert (greedy.n, greedy.sampling.temperature) == (1, 0.0)
    assert (RUN, "1/greedy") not in rollouts, "a kind that does not count is only shown"


async def test_a_restarted_conductor_goes_on_with_what_was_generated(
    conductors, rollouts, evaluate, rows, until
):
    rollouts.at_once = False
    died = asyncio.create_task(evaluate(conductors(), rows[:2]))
    await until(lambda: len(rollouts.prompts) == 4)
    for group in ("0/sampled", "0/greedy"):
        rollouts.finish(group, RUN)
    await until(lambda: len(rollouts.leased) == 2)
    died.cancel()
    await asyncio.gather(died, return_exceptions=True)

    again = asyncio.create_task(evaluate(conductors(), rows[:2]))
    await until(lambda: len(rollouts.submitted) == 8)
    for group in ("1/sampled", "1/greedy"):
        rollouts.finish(group, RUN)
    report = await again
    assert sorted(report["by_prompt"]) == ["0", "1"]
    assert len(rollouts.acked) == 4


async def test_a_reward_that_is_missing_counts_neither_way(
    conductors, rewards, evaluate, rows, respond
):
    rewards.answer = respond(None, accuracy="gone")
    report = await evaluate(conductors(), rows[:2])
    assert report["accuracy"] is None and report["by_prompt"] == {}
    [sample, _] = report["rows"][0]["samples"]
    assert sample["rewards"] == {"accuracy": None}


async def test_a_group_that_cannot_be_generated_is_left_out(conductors, rollouts, evaluate, rows):
    rollouts.error = "the prompt is too long"
    report = await evaluate(conductors(), rows[:1])
    assert report["accuracy"] is None and report["rows"][0]["samples"] == []


async def test_a_service_that_is_away_for_a_while_does_not_end_it(
    conductors, rollouts, evaluate, rows, until
):
    rollouts.is_down = True
    context = conductors()
    running = asyncio.create_task(evaluate(context, rows[:1]))
    await until(lambda: [w.who for w in context.waiting.entries()] == ["evaluation"])
    await asyncio.sleep(0.3)
    rollouts.is_down = False
    assert (await running)["accuracy"] == 1.0


async def test_a_service_that_stays_away_ends_it_in_time(conductors, rollouts, evaluate, rows):
    rollouts.is_down = True
    context = conductors(pipeline={"stall_timeout_s": 0.5})
    with pytest.raises(Unavailable, match="it is being restarted"):
        await asyncio.wait_for(evaluate(context, rows[:1]), 10)


async def test_groups_that_never_come_back_end_it_even_if_others_come_again(
    conductors, rollouts, evaluate, rows, monkeypatch
):
    monkeypatch.setattr(evaluation, "_WAIT_S", 0.1)
    rollouts.at_once = False
    context = conductors(pipeline={"stall_timeout_s": 0.6})
    running = asyncio.create_task(evaluate(context, rows[:1]))
    finished = False
    async with asyncio.timeout(10):
        while not running.done():
            if not finished and len(rollouts.prompts) == 2:
                rollouts.finish("0/sampled", RUN)
                finished = True
            rollouts.leased.clear()
            await asyncio.sleep(0.02)
    with pytest.raises(ExceptionGroup) as raised:
        await running
    said = r"1 groups did not come back.*stall_timeout_s = 0.6"
    assert raised.group_contains(Stalled, match=said)


async def test_how_far_it_is_counts_as_progress(conductors, evaluate, rows):
    context = conductors()
    await evaluate(context, rows[:2])
    assert (await context.ledger.progress())["evaluated"] == 4


def test_a_few_rows_of_every_kind_are_shown():
    rows = [row(i, "free" if i % 2 else "math") for i in range(10)]
    assert shown_ids(rows, EvalRecipe(num_sample_rows=4)) == ["1", "3", "0", "2"]


async def test_rows_that_the_report_shows_get_every_reward_and_the_judge(
    conductors, rewards, make_scorer, rows
):
    rewards.verdicts = [[3.0, 0.0]]
    context = conductors(
        judge={"judge": "self"},
        rewards=[{"name": "length"}],
        eval={"num_prompts": 3, "num_sample_rows": 1, "greedy": False},
    )
    scorer = make_scorer(context)
    scorers = EvalScorers(
        counted=replace(scorer, rewards=eval_rewards(context.recipe), judge=None),
        shown=replace(scorer, rewards=shown_rewards(context.recipe)),
    )
    report = await Evaluation(context, scorers, rows[:3], "before").run()
    [shown] = report["rows"]
    assert [sample["rewards"] for sample in shown["samples"]] == [
        {"length": 1.0, "accuracy": 1.0, "judge": value} for value in (3.0, 0.0)
    ]
    assert [sample["total"] for sample in shown["samples"]] == [4.0, 1.0]
    assert len(report["by_prompt"]) == 3
    assert sum(key.endswith("/tournament") for key in rewards.keys) == 1
