"""The run on /metrics."""

from prometheus_client.parser import text_string_to_metric_families

from plaudit_trainer.conductor.admission import submit
from plaudit_trainer.conductor.metrics import GROUP_STAGE_SECONDS, run_metrics_text
from plaudit_trainer.conductor.watch import StallWatch
from plaudit_trainer.redis_clients import connect_async


async def shown(context) -> dict[str, float]:
    """`name{label}` of every sample."""
    text = (await run_metrics_text(context)).decode()
    return {
        f"{sample.name.removeprefix('plaudit_trainer_')}{[*sample.labels.values()] or ''}": value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for value in [sample.value]
    }


async def test_it_says_how_far_the_run_is_and_how_it_does(conductors):
    context = conductors()
    await context.ledger.set_progress(
        state="training", step=2, version=7, reward=0.25, reward_std=None, staleness_mean=0.5,
        groups_per_s=3.0, step_parts_s={"wait": 1.5},
    )  # fmt: skip
    context.served_step = 1
    found = await shown(context)
    assert found["state['training']"] == 1
    assert found["state['failed']"] == 0
    assert (found["step"], found["max_steps"], found["policy_version"]) == (2, 3, 7)
    assert (found["reward"], found["groups_per_second"], found["served_step"]) == (0.25, 3, 1)
    assert (found["staleness_mean"], found["max_staleness"]) == (0.5, 0)
    assert found["step_part_seconds['wait']"] == 1.5
    assert "reward_std" not in found, "what nobody knows is left out, not 0"


async def test_it_counts_groups_as_the_ledger_does(conductors):
    context = conductors()
    first, _ = await context.ledger.admit(max_live=2, num_rows=5)
    await context.ledger.drop([first], "stale", try_again=True)
    found = await shown(context)
    assert found["groups['admitted']"] == 2
    assert found["groups['in_flight']"] == 1
    assert found["dropped_groups['stale']"] == 1


async def test_it_says_when_the_ledger_last_moved(conductors):
    context = conductors()
    assert "last_progress_timestamp_seconds" not in await shown(context)
    now = 1000.0
    context.clock = lambda: now
    watch = StallWatch(context)
    await watch.check()
    now = 1005.0
    await watch.check()
    assert (await shown(context))["last_progress_timestamp_seconds"] == 1000
    await context.ledger.admit(max_live=1, num_rows=5)
    await watch.check()
    assert (await shown(context))["last_progress_timestamp_seconds"] == 1005


async def test_every_stage_of_a_group_is_timed(conductors, arrive, until):
    context = conductors()
    observed = GROUP_STAGE_SECONDS.labels("generate")
    before = observed._sum.get()
    await submit(context, await context.ledger.admit(max_live=1, num_rows=5))
    arrive(context)
    await until(lambda: GROUP_STAGE_SECONDS.labels("reward")._sum.get() > 0)
    assert observed._sum.get() == before, "this service generates in no time"


async def test_without_redis_it_answers_without_figures(conductors, monkeypatch):
    context = conductors()
    monkeypatch.setattr("plaudit_trainer.conductor.metrics.MAX_SCRAPE_S", 0.2)
    async with connect_async("redis://127.0.0.1:1") as away:
        context.ledger._redis = away
        assert not await shown(context)
