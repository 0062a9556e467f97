"""Differences of units: every counterfactual of a group in one call, beside its scores."""

import asyncio
import time

import pytest
from fastapi import Response

from plaudit.client import ClientOptions, JudgeClient, RewardClient
from plaudit.schemas.recipe import DrcaRecipe, PipelineRecipe, RewardRecipe
from plaudit.schemas.reward import CompletionScore, GroupScore, ScoreResponse
from plaudit_trainer.conductor.admission import submit
from plaudit_trainer.conductor.arrivals import Arrivals
from plaudit_trainer.conductor.scoring import Scorer
from plaudit_trainer.conductor.units.counterfactuals import Counterfactuals
from plaudit_trainer.conductor.units.scorer import UnitScorer
from tests.reward.conftest import Service, until_healthy

PIPELINE = PipelineRecipe(reward_timeout_s=5.0)


@pytest.fixture
async def make(detokenizer, rewards):
    """`make(RewardRecipe(...), url=...)`: the scorer of a conductor."""
    clients = []

    def build(*used: RewardRecipe, url=None, pipeline=PIPELINE, **drca) -> UnitScorer:
        options = ClientOptions(max_attempts=1)
        reward = RewardClient(url or rewards.url, options)
        judge = JudgeClient(rewards.url, options)
        clients.extend([reward, judge])
        scorer = Scorer(used, None, pipeline, reward, judge)
        recipe = DrcaRecipe(**drca)
        return UnitScorer(scorer, Counterfactuals(recipe, pipeline, detokenizer, reward))

    yield build
    for client in clients:
        await client.aclose()


class Asked:
    """Answers by the text and remembers the requests; the texts in `broken` get null."""

    def __init__(self, value, broken=()):
        self.value, self.broken, self.requests = value, broken, []

    async def __call__(self, request):
        self.requests.append(request)
        groups = [
            GroupScore(
                group_id=group.group_id, scores=[self.score(one.text) for one in group.completions]
            )
            for group in request.groups
        ]
        return Response(ScoreResponse(groups=groups).model_dump_json())

    def score(self, text):
        if text in self.broken:
            return CompletionScore(total=None, rewards={"r": None}, errors={"r": "it hung"})
        return CompletionScore(total=None, rewards={"r": float(self.value(text))})

    def counterfactuals(self):
        [request] = [one for one in self.requests if one.groups[0].group_id != "0/0/0"]
        return request


ACCURATE = RewardRecipe(name="r")


def deltas(scored):
    return [[unit.difference for unit in units] for units in scored.units]


async def test_a_counterfactual_is_the_text_before_the_unit_and_a_space_ended_there(
    make, rewards, complete, group_of
):
    rewards.answer = asked = Asked(len)
    group = group_of(
        complete("Hi\nA. one\n", "B. two"), complete("A. 中\nB. x", ends=False), gold=3
    )
    scored = await make(ACCURATE).score(group, "math", "r/0/0/0")
    [part] = asked.counterfactuals().groups
    assert [one.text for one in part.completions] == ["Hi\n ", "Hi\nA. one\n ", " ", "A. 中\n "]
    units = [unit for of_completion in scored.units for unit in of_completion]
    assert [one.num_tokens for one in part.completions] == [unit.start + 1 for unit in units]
    assert {one.finish_reason for one in part.completions} == {"stop"}
    assert (part.prompt, part.reference) == (group.prompt, {"gold": 3})
    assert deltas(scored) == [[16 - 4, 16 - 11], [9 - 1, 9 - 6]]


async def test_differences_are_mixed_as_totals_are(make, rewards, complete, group_of):
    rewards.answer = Asked(len)
    reward = RewardRecipe(name="r", weight=2.0, clip=(0.0, 6.0))
    scored = await make(reward).score(group_of(complete("A. one\n", "B. two")), "math", "k")
    assert deltas(scored) == [[2 * (6 - 1), 0.0]], "both are over the clip"


async def test_all_of_a_group_are_one_call_of_groups_of_at_most_256(
    make, rewards, complete, group_of
):
    rewards.answer = asked = Asked(len)
    completion = complete("".join(f"{letter}. x\n" for letter in "ABCDEFGHIJKLMNOPQ"))
    scored = await make(ACCURATE, max_units=17).score(group_of(*[completion] * 16), "math", "k")
    assert len(asked.requests) == 2
    assert [len(group.completions) for group in asked.counterfactuals().groups] == [256, 16]
    assert deltas(scored) == [[85 - (5 * unit + 1) for unit in range(17)]] * 16


async def test_without_units_nothing_is_asked(make, rewards, complete, group_of):
    rewards.answer = asked = Asked(len)
    scored = await make(ACCURATE).score(group_of(complete("none"), complete("")), "math", "k")
    assert len(asked.requests) == 1 and scored.units == [[], []]


@pytest.mark.parametrize(
    ("broken", "wanted"), [("A. one\n ", [12, None]), ("A. one\nB. two", [None, None])]
)
async def test_what_is_missing_makes_its_differences_null_and_never_0(
    make, rewards, complete, group_of, broken, wanted
):
    rewards.answer = Asked(len, [broken])
    scored = await make(ACCURATE).score(group_of(complete("A. one\n", "B. two")), "math", "k")
    assert deltas(scored) == [wanted]
    assert not scored.is_complete() and scored.reasons() == ["it hung"]


@pytest.mark.parametrize("what", ["leaves out", "fails"])
async def test_a_service_that_misbehaves_makes_them_null_with_the_reason(
    make, rewards, complete, group_of, what
):
    async def answer(request):
        if request.groups[0].group_id == "0/0/0":
            return await Asked(len)(request)
        if what == "fails":
            return Response("boom", status_code=500)
        return Response('{"groups": []}')

    rewards.answer = answer
    scored = await make(ACCURATE).score(group_of(complete("A. one")), "math", "k")
    assert deltas(scored) == [[None]] and [one.rewards for one in scored.scores] == [{"r": 6.0}]
    [reason] = scored.reasons()
    assert ("0 counterfactuals" if what == "leaves out" else "500") in reason


async def test_they_are_scored_beside_the_completions_and_under_a_key_of_their_own(
    make, rewards, complete, group_of
):
    both = asyncio.Event()

    async def answer(request):
        if len(rewards.keys) == 2:
            both.set()
        await both.wait()
        return await Asked(len)(request)

    rewards.answer = answer
    await make(ACCURATE).score(group_of(complete("A. one")), "math", "r/0/0/0")
    assert sorted(rewards.keys) == ["r/0/0/0/counterfactuals", "r/0/0/0/score"]


async def test_the_real_reward_service_scores_them(
    make, complete, group_of, redis_url, detokenizer
):
    service = Service(redis_url, "")
    try:
        await until_healthy(service.client)
        await service.work("rules")
        scorer = make(
            RewardRecipe(name="pure_accuracy"), url=service.url, pattern="<(answer|opinion)>"
        )
        right = complete("<answer>2</answer>\n", "<opinion>up</opinion>")
        wrong = complete("<answer>1</answer>\n", "<opinion>up</opinion>")
        group = group_of(right, wrong, gold_index=2, opinion_direction="increase")
        scored = await scorer.score(group, "slate", "r/0/0/0")
        assert [one.total for one in scored.scores] == [1.0, 0.5]
        assert deltas(scored) == [[1.0, 0.5], [0.5, 0.5]]
    finally:
        await service.aclose()


async def test_a_slow_reward_is_waited_for_once(make, rewards, complete, group_of):
    """As long as one call takes, not one for each unit."""

    async def slow(request):
        await asyncio.sleep(0.5)
        return await Asked(len)(request)

    rewards.answer = slow
    scorer = make(ACCURATE)
    text = "".join(f"{letter}. x\n" for letter in "ABCDEFGH")
    started_s = time.monotonic()
    scored = await scorer.score(group_of(*[complete(text)] * 4), "math", "k")
    assert time.monotonic() - started_s < 3.0
    assert {*scored.seconds} == {"reward", "counterfactuals"}


async def test_units_reach_the_learner_and_a_missing_one_is_waited_for_where_the_recipe_says_so(
    make, rewards, rollouts, complete, conductors, learner, until
):
    rollouts.complete = lambda number: complete("A. one\n", f"B. {number}")
    rewards.answer = Asked(len, ["A. one\n "])
    context = conductors(pipeline={"on_missing": "wait"})
    await submit(context, await context.ledger.admit(max_live=1, num_rows=5))
    arrivals = asyncio.create_task(Arrivals(context, make(ACCURATE)).run())
    await until(lambda: context.waiting.entries())
    assert "it hung" in context.waiting.entries()[0].what
    assert await context.ledger.num_ready() == 0

    rewards.answer = Asked(len)
    await until(context.ledger.num_ready)
    [group] = learner.ledger.peek_ready(1)
    assert [[unit.difference for unit in units] for units in group.units] == [[10, 3]] * 2
    [record] = context.run_dir.read_jsonl("groups.jsonl")
    assert (record["num_units"], record["missing_differences"]) == (4, 0)
    arrivals.cancel()
    await asyncio.gather(arrivals, return_exceptions=True)
