"""A finished group is scored and handed on once, whatever the services do meanwhile."""

import asyncio
import json
import time

import pytest
from fastapi import Response

from plaudit.errors import Stalled
from plaudit.schemas.run import ReadyGroup
from plaudit.testing.net import free_port
from plaudit_trainer.conductor.admission import submit
from plaudit_trainer.conductor.arrivals import Arrivals


async def admit(context, num_groups=2):
    groups = await context.ledger.admit(max_live=num_groups, num_rows=5)
    await submit(context, groups)
    return groups


async def settled(context, until, num_groups=2):
    """Waits until so many groups are ready or dropped; the ledger."""

    async def enough():
        counts = await context.ledger.counts()
        done = await context.ledger.num_ready() + counts.trained + sum(counts.dropped.values())
        assert counts.admitted == counts.trained + sum(counts.dropped.values()) + counts.in_flight
        return done >= num_groups

    await until(enough)
    return await context.ledger.counts()


def first_ready(learner) -> ReadyGroup:
    return learner.ledger.peek_ready(1)[0]


async def test_a_finished_group_is_scored_recorded_acknowledged_and_ready(
    conductors, learner, rollouts, arrive, until
):
    context = conductors()
    admitted = await admit(context)
    arrive(context)
    await settled(context, until)
    await until(lambda: sorted(rollouts.acked) == admitted)
    ready = first_ready(learner)
    assert [score.rewards for score in ready.scores] == [{"accuracy": 1.0}] * 2
    assert ready.kind == "math" and "reward" in ready.times.seconds
    records = list(context.run_dir.read_jsonl("groups.jsonl"))
    assert sorted(record["group_id"] for record in records) == admitted
    assert [record["reward"] for record in records] == [1.0, 1.0]
    assert context.scoring == set()


async def test_a_group_that_arrives_again_is_trained_once(
    conductors, learner, rollouts, arrive, until
):
    rollouts.loses_acks = True
    context = conductors()
    admitted = await admit(context)
    arrive(context)
    await settled(context, until)
    trained = learner.train(2)
    rollouts.loses_acks = False
    rollouts.leased.clear()
    await until(lambda: sorted(rollouts.acked) == admitted)
    assert sorted(trained) == admitted
    assert learner.ledger.count_ready() == 0
    counts = await context.ledger.counts()
    assert (counts.admitted, counts.trained, counts.in_flight) == (2, 2, 0)
    assert len(list(context.run_dir.read_jsonl("groups.jsonl"))) == 2


async def test_a_successor_scores_what_its_predecessor_had_leased_when_it_died(
    conductors, rewards, rollouts, arrive, until, respond
):
    rewards.answer = hang
    first = conductors(pipeline={"reward_timeout_s": 60})
    admitted = await admit(first)
    died = arrive(first)
    await until(lambda: len(first.scoring) == 2)
    died.cancel()
    await asyncio.gather(died, return_exceptions=True)

    rewards.answer = respond(1.0)
    second = conductors()
    arrive(second)
    await settled(second, until)
    await until(lambda: sorted(rollouts.acked) == admitted)
    assert rollouts.submitted == admitted, "nothing was generated twice"


async def hang(request):
    await asyncio.sleep(30)
    return Response()


async def fail(request):
    return Response("Traceback: boom", status_code=500)


async def say_garbage(request):
    return Response("<html>not JSON</html>", media_type="text/html")


async def say_nothing(request):
    return Response('{"groups": []}', media_type="application/json")


def of_scores(*scores):
    async def answer(request):
        body = {"groups": [{"group_id": request.groups[0].group_id, "scores": list(scores)}]}
        return Response(json.dumps(body), media_type="application/json")

    return answer


RIGHT = {"total": 1.0, "rewards": {"accuracy": 1.0}}


@pytest.mark.parametrize(
    ("misbehave", "reason"),
    [
        pytest.param(hang, "pipeline.reward_timeout_s = 0.5", id="hangs"),
        pytest.param(fail, "500", id="answers 500"),
        pytest.param(say_garbage, "not JSON", id="answers garbage"),
        pytest.param(say_nothing, "answered for 0 completions", id="answers for no group"),
        pytest.param(of_scores(RIGHT), "answered for 1 completions", id="leaves one out"),
        pytest.param(
            of_scores(*[{"total": None, "rewards": {}}] * 2), "no number", id="forgets the reward"
        ),
        pytest.param(
            of_scores(*[{"total": 1.0, "rewards": {"accuracy": float("nan")}}] * 2),
            "no number",
            id="says NaN",
        ),
    ],
)
async def test_a_reward_service_that_misbehaves_gives_null_with_the_reason_in_time_and_never_0(
    conductors, learner, rewards, arrive, until, misbehave, reason
):
    rewards.answer = misbehave
    context = conductors()
    await admit(context)
    started_s = time.monotonic()
    arrive(context)
    await settled(context, until)
    assert time.monotonic() - started_s < 5
    for score in first_ready(learner).scores:
        assert score.total is None and score.rewards == {"accuracy": None}
        assert reason in score.errors["accuracy"]


async def test_a_reward_service_that_is_down_gives_null_with_its_address(
    conductors, learner, arrive, until
):
    url = f"http://127.0.0.1:{free_port()}"
    context = conductors()
    await admit(context)
    arrive(context, url)
    await settled(context, until)
    [score, _] = first_ready(learner).scores
    assert score.rewards == {"accuracy": None} and url in score.errors["accuracy"]


async def test_what_is_missing_drops_the_group_when_the_recipe_says_so(
    conductors, rewards, rollouts, arrive, until, respond
):
    rewards.answer = respond(None, accuracy="no reference")
    context = conductors(pipeline={"on_missing": "drop"})
    await admit(context)
    arrive(context)
    counts = await settled(context, until)
    assert counts.dropped == {"missing_reward": 2} and counts.in_flight == 0
    await until(lambda: len(rollouts.acked) == 2)


async def test_what_is_missing_is_waited_for_visibly_when_the_recipe_says_so(
    conductors, learner, rewards, arrive, until, respond
):
    rewards.answer = respond(None, accuracy="the sandbox is away")
    context = conductors(pipeline={"on_missing": "wait"})
    [group] = await admit(context, 1)
    arrive(context)
    await until(lambda: len(rewards.keys) >= 2)
    [waiting] = [w for w in context.waiting.entries() if w.who == f"scoring {group}"]
    assert "the sandbox is away" in waiting.what
    assert await context.ledger.num_ready() == 0
    assert len(set(rewards.keys)) == 1, "a late answer to the first question would be wasted"

    rewards.answer = respond(0.5)
    await settled(context, until, 1)
    assert [score.total for score in first_ready(learner).scores] == [0.5, 0.5]
    assert context.waiting.entries() == []


async def test_a_judge_that_named_no_winner_is_asked_anew_for_another_tournament(
    conductors, learner, rewards, arrive, until
):
    rewards.verdicts = [[None, None], [1.0, 2.0]]
    context = conductors(rewards=[], judge={}, pipeline={"on_missing": "wait"})
    await admit(context, 1)
    arrive(context)
    await settled(context, until, 1)
    assert [score.total for score in first_ready(learner).scores] == [1.0, 2.0]
    assert len(set(rewards.keys)) == 2, "it remembers what it said under the first key"


async def test_a_judge_that_leaves_a_completion_out_is_null_for_all(
    conductors, learner, rewards, arrive, until
):
    rewards.verdicts = [[3.0]]
    context = conductors(rewards=[], judge={})
    await admit(context, 1)
    arrive(context)
    await settled(context, until, 1)
    for score in first_ready(learner).scores:
        assert score.rewards == {"judge": None} and "answered for 1" in score.errors["judge"]


async def test_waiting_for_a_reward_has_a_bound_that_names_it(
    conductors, rewards, make_scorer, respond
):
    rewards.answer = respond(None, accuracy="the sandbox is away")
    context = conductors(pipeline={"on_missing": "wait", "stall_timeout_s": 0.5})
    [group] = await admit(context, 1)
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(Arrivals(context, make_scorer(context)).run(), 10)
    [stalled] = raised.value.exceptions
    assert isinstance(stalled, Stalled)
    for said in (group, "stall_timeout_s = 0.5", "the sandbox is away", "on_missing"):
        assert said in str(stalled)


async def test_a_group_that_cannot_be_generated_is_dropped_for_good(
    conductors, rollouts, rewards, arrive, until
):
    rollouts.error = "the prompt has 900 tokens"
    context = conductors()
    await admit(context)
    arrive(context)
    counts = await settled(context, until)
    assert counts.dropped == {"generation_failed": 2}
    assert await context.ledger.admit(max_live=1, num_rows=5) == ["0/2/0"], "not tried again"
    assert rewards.keys == []
    await until(lambda: len(rollouts.acked) == 2)


async def test_a_rollout_service_that_is_away_is_named_and_asked_again(
    conductors, rollouts, arrive, until
):
    context = conductors()
    await admit(context)
    rollouts.is_down = True
    arrive(context)
    await until(lambda: [w.who for w in context.waiting.entries()] == ["arrivals"])
    rollouts.is_down = False
    await settled(context, until)
    assert context.waiting.entries() == []
