"""As many groups in flight as staleness allows; none forgotten, none admitted in vain."""

import asyncio
import time

import pytest

from plaudit_trainer.conductor.admission import admit_forever, max_live_groups, resubmit, submit


async def admit(context, until, rollouts, num_groups):
    """Lets the loop run until it has submitted so many groups, and then a little longer."""
    context.stopping.clear()
    loop = asyncio.create_task(admit_forever(context))
    await until(lambda: len(set(rollouts.submitted)) >= num_groups)
    await asyncio.sleep(0.15)
    context.stopping.set()
    await loop
    return list(dict.fromkeys(rollouts.submitted))


async def make_ready(context, ready_payload, group_ids):
    for group_id in group_ids:
        assert await context.ledger.ready(group_id, ready_payload(group_id))


@pytest.mark.parametrize("max_staleness", [0, 1, 2])
async def test_a_policy_is_given_no_more_groups_than_may_be_trained_before_it_is_too_old(
    conductors, learner, rollouts, until, ready_payload, max_staleness
):
    context = conductors(pipeline={"max_staleness": max_staleness}, budget={"steps": 50})
    context.served_step = 0
    bound = 2 * (max_staleness + 1)
    first = await admit(context, until, rollouts, bound)
    assert len(first) == bound

    await make_ready(context, ready_payload, first)
    learner.train(2)
    assert await admit(context, until, rollouts, bound) == first, "trained, but not yet served"
    context.served_step = 1
    assert len(await admit(context, until, rollouts, bound + 2)) == bound + 2


async def test_nothing_is_admitted_before_an_engine_serves(conductors, rollouts, until):
    context = conductors()
    assert await admit(context, until, rollouts, 0) == []
    assert (await context.ledger.counts()).admitted == 0


async def test_the_last_steps_admit_no_more_than_the_budget_trains(conductors, rollouts, until):
    context = conductors(pipeline={"max_staleness": 9}, budget={"steps": 3})
    context.served_step = 2
    assert len(await admit(context, until, rollouts, 6)) == 3 * 2


async def test_a_dropped_group_makes_room_and_its_prompt_goes_before_new_ones(
    conductors, rollouts, until
):
    context = conductors()
    context.served_step = 0
    assert await admit(context, until, rollouts, 2) == ["0/0/0", "0/1/0"]
    await context.ledger.drop(["0/1/0"], "stale", try_again=True)
    context.served_step = 1
    assert (await admit(context, until, rollouts, 5))[2:] == ["0/1/1", "0/2/0", "0/3/0"]


async def test_a_prompt_that_comes_again_is_the_same_row_with_the_same_sampling(
    conductors, rollouts
):
    context = conductors(method={"temperature": 0.7, "max_completion_tokens": 9})
    await submit(context, ["0/3/0", "0/3/1"])
    first, again = (rollouts.prompts["r", group] for group in ("0/3/0", "0/3/1"))
    assert first.prompt == again.prompt and first.reference == again.reference
    assert (first.n, first.sampling.temperature, first.sampling.max_tokens) == (2, 0.7, 9)


async def test_a_restarted_conductor_submits_again_what_is_admitted_and_unscored(
    conductors, rollouts, until, ready_payload
):
    rollouts.is_down = True
    first = conductors(pipeline={"max_staleness": 1})
    admitted = await first.ledger.admit(max_live=4, num_rows=5)
    await submit(first, admitted)
    await make_ready(first, ready_payload, admitted[:1])
    assert rollouts.submitted == [], "it died before anything got through"

    rollouts.is_down = False
    second = conductors(pipeline={"max_staleness": 1})
    second.served_step = 0
    assert await admit(second, until, rollouts, 3) == admitted[1:]
    assert (await second.ledger.counts()).admitted == 4


async def test_a_group_that_is_being_scored_is_not_generated_again(conductors, rollouts):
    context = conductors()
    scoring, lost = await context.ledger.admit(max_live=2, num_rows=5)
    context.scoring.add(scoring)
    await resubmit(context)
    assert rollouts.submitted == [lost]


async def test_a_rollout_service_that_is_away_is_named_until_it_is_back(
    conductors, rollouts, until
):
    context = conductors()
    context.served_step = 0
    rollouts.is_down = True
    await submit(context, await context.ledger.admit(max_live=2, num_rows=5))
    [waiting] = context.waiting.entries()
    assert waiting.who == "admission" and "it is being restarted" in waiting.what
    rollouts.is_down = False
    assert await admit(context, until, rollouts, 2) == ["0/0/0", "0/1/0"]
    assert context.waiting.entries() == []


async def test_a_group_that_never_comes_back_is_dropped_and_its_prompt_tried_again(
    conductors, rollouts, until
):
    rollouts.at_once = False
    context = conductors(pipeline={"rollout_timeout_s": 0.2})
    context.served_step = 0
    admitted = await admit(context, until, rollouts, 2)
    await asyncio.sleep(0.2)
    context.scoring.add(admitted[1])
    await resubmit(context)
    counts = await context.ledger.counts()
    assert counts.dropped == {"rollout_timeout": 1}, "the other one came back and is being scored"
    assert counts.admitted == sum(counts.dropped.values()) + counts.in_flight
    assert (await admit(context, until, rollouts, 3))[-1] == "0/0/1"


async def test_requests_are_cut_to_what_the_rollout_service_takes(conductors, rollouts):
    context = conductors(pipeline={"groups_per_step": 300}, budget={"steps": 2})
    context.served_step = 0
    admitted = []
    while new := await context.ledger.admit(max_live=max_live_groups(context), num_rows=5):
        admitted += new
    started_s = time.monotonic()
    await submit(context, admitted)
    assert rollouts.submitted == admitted and len(admitted) == 300
    assert time.monotonic() - started_s < 20
