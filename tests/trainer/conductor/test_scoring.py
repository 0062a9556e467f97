"""Scores of a group are joined; what is missing stays null with its reason."""

import asyncio

import pytest
from fastapi import FastAPI

from plaudit.client import ClientOptions, JudgeClient, RewardClient
from plaudit.config import ServiceSettings
from plaudit.errors import BudgetExceeded
from plaudit.mixing import Mixer
from plaudit.schemas.common import Message
from plaudit.schemas.judge import (
    TournamentRequest,
    TournamentResponse,
    TournamentRules,
    Usage,
)
from plaudit.schemas.mixing import Mixed, Mixing
from plaudit.schemas.recipe import JudgeRecipe, PipelineRecipe, Recipe, RewardRecipe
from plaudit.schemas.reward import CompletionScore, GroupScore, ScoreRequest, ScoreResponse
from plaudit.schemas.rollout import Completion, RolloutGroup
from plaudit.service import create_app
from plaudit.testing import running
from plaudit.testing.net import free_port
from plaudit_trainer.conductor.main import client_options
from plaudit_trainer.conductor.scoring import Scorer, join, reward_group
from plaudit_trainer.settings import TrainerSettings


def score(**rewards):
    missing = {name: "gone" for name, value in rewards.items() if value is None}
    return CompletionScore(total=None, rewards=rewards, errors=missing)


def mixer(**weights: float) -> Mixer:
    return Mixer.of({name: Mixed(weight=weight) for name, weight in weights.items()}, Mixing())


def test_the_total_weighs_what_is_present():
    [joined] = join([[score(a=1.0, b=None)], [score(judge=3.0)]], mixer(a=2, b=5, judge=0.5), 1)
    assert joined.total == pytest.approx(3.5)
    assert joined.rewards == {"a": 1.0, "b": None, "judge": 3.0}
    assert joined.errors == {"b": "gone"}


def test_nothing_present_is_null_and_not_zero():
    [joined] = join([[score(a=None)]], mixer(a=1.0), 1)
    assert joined.total is None


def test_values_per_token_go_on_to_the_learner():
    one = CompletionScore(total=None, rewards={"a": -1.0}, token_rewards={"a": [-1.0, 0.0]})
    [joined] = join([[one], [score(judge=3.0)]], mixer(a=1.0, judge=1.0), 1)
    assert joined.token_rewards == {"a": [-1.0, 0.0]}


@pytest.fixture
def group():
    completion = Completion(
        text="2", token_ids=[1], logprobs=[-0.1], finish_reason="stop", policy_versions=[0]
    )
    return RolloutGroup(
        run_id="r",
        group_id="0/0/0",
        prompt=[Message(role="user", content="1+1?")],
        prompt_token_ids=[1],
        reference={"answer": "2"},
        completions=[completion] * 2,
        replica_id="x",
    )


async def test_services_that_are_down_leave_their_rewards_null_within_the_deadline(group):
    url = f"http://127.0.0.1:{free_port()}"
    options = ClientOptions(timeout_s=0.5)
    async with RewardClient(url, options) as reward, JudgeClient(url, options) as judge:
        scorer = Scorer(
            [RewardRecipe(name="accuracy", kinds=["math"]), RewardRecipe(name="code", kinds=["x"])],
            JudgeRecipe(),
            PipelineRecipe(reward_timeout_s=0.5),
            reward,
            judge,
        )
        scored = await scorer.score(group, "math", "key")
    assert [s.rewards for s in scored.scores] == [{"accuracy": None, "judge": None}] * 2
    assert all(s.total is None and url in s.errors["accuracy"] for s in scored.scores)
    assert not scored.is_complete()


@pytest.mark.parametrize(("name", "ids"), [("accuracy", None), ("repetition_dense", [1])])
def test_token_ids_are_sent_to_the_rewards_that_look_at_them(group, name, ids):
    sent = reward_group(group, {name, "format"})
    assert [answer.token_ids for answer in sent.completions] == [ids] * 2
    assert [answer.num_tokens for answer in sent.completions] == [1] * 2


async def test_a_reward_service_that_comes_back_before_the_deadline_is_not_missed(group):
    """A restart takes longer than a few quick attempts; the deadline decides, not their number."""
    settings = TrainerSettings()
    pipeline = PipelineRecipe(reward_timeout_s=20)
    recipe = Recipe(name="r", rewards=[RewardRecipe(name="accuracy")], pipeline=pipeline)
    port = free_port()
    options = client_options(settings, recipe)
    url = f"http://127.0.0.1:{port}"
    async with RewardClient(url, options) as reward, JudgeClient(url, options) as judge:
        scorer = Scorer(recipe.rewards, None, pipeline, reward, judge)
        scoring = asyncio.create_task(scorer.score(group, "math", "key"))
        await asyncio.sleep(5)
        assert not scoring.done(), "it gave up long before the deadline"
        back = ServiceSettings(port=port)
        with running(scores_one(back), back):
            scored = await scoring
    assert [score.total for score in scored.scores] == [1.0, 1.0]


async def test_the_judge_is_asked_by_the_recipes_rules(group):
    asked: list[TournamentRequest] = []
    rules = {"schedule": "adaptive", "rating": "bradley_terry", "bt_prior": 0.1, "goal": "top"}
    settings = ServiceSettings(port=free_port())
    url = f"http://127.0.0.1:{settings.port}"
    with running(judges_all_alike(settings, asked), settings):
        async with RewardClient(url) as reward, JudgeClient(url) as judge:
            for recipe in (JudgeRecipe(), JudgeRecipe(reward_form="rank", weight=0.5, **rules)):
                await Scorer([], recipe, PipelineRecipe(), reward, judge).score(group, "x", "key")
    default, changed = asked
    fields = TournamentRules.model_fields
    assert {name: getattr(default, name) for name in fields} == TournamentRules().model_dump()
    assert changed.model_dump() == {**default.model_dump(), **rules, "reward_form": "rank"}


async def test_a_judge_whose_budget_is_spent_leaves_its_reward_null_with_the_reason(group):
    """At once: the judge says that no retry mends it."""
    settings = ServiceSettings(port=free_port())
    url = f"http://127.0.0.1:{settings.port}"
    with running(judge_without_money(settings), settings):
        async with RewardClient(url) as reward, JudgeClient(url) as judge:
            scorer = Scorer([], JudgeRecipe(), PipelineRecipe(reward_timeout_s=30.0), reward, judge)
            scored = await scorer.score(group, "x", "key")
    assert [score.rewards for score in scored.scores] == [{"judge": None}] * 2
    assert "run_budget_usd = 5" in scored.scores[0].errors["judge"]
    assert scored.seconds["judge"] < 10.0


def judge_without_money(settings: ServiceSettings) -> FastAPI:
    app = create_app("judge", settings)

    @app.post("/v1/tournament")
    async def tournament(request: TournamentRequest) -> TournamentResponse:
        raise BudgetExceeded("No money is left for this request: run_budget_usd = 5.")

    return app


def judges_all_alike(settings: ServiceSettings, asked: list[TournamentRequest]) -> FastAPI:
    app = create_app("judge", settings)

    @app.post("/v1/tournament")
    async def tournament(request: TournamentRequest) -> TournamentResponse:
        asked.append(request)
        rewards: list[float | None] = [1.5] * len(request.responses)
        return TournamentResponse(ratings=rewards, rewards=rewards, comparisons=[], usage=Usage())

    return app


def scores_one(settings: ServiceSettings) -> FastAPI:
    """Answers in the reward service's wire format: every completion is right."""
    app = create_app("reward", settings)

    @app.post("/v1/score")
    async def score_all(request: ScoreRequest) -> ScoreResponse:
        one = CompletionScore(total=1.0, rewards={"accuracy": 1.0})
        groups = [
            GroupScore(group_id=each.group_id, scores=[one] * len(each.completions))
            for each in request.groups
        ]
        return ScoreResponse(groups=groups)

    return app
