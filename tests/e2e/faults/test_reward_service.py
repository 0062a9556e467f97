"""A reward service that misbehaves while a run trains: what it did not say is never a 0."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Response

from plaudit.config.settings import ServiceSettings
from plaudit.schemas.reward import (
    CompletionScore,
    GroupScore,
    RewardInfo,
    RewardList,
    ScoreRequest,
    ScoreResponse,
)
from plaudit.service import create_app
from plaudit.testing import free_port
from plaudit.testing.server import AppThread

GROUPS_PER_STEP = 4
RECIPE = (
    "budget.checkpoint_every_steps=20",
    f"pipeline.groups_per_step={GROUPS_PER_STEP}",
    "pipeline.max_staleness=2",
    "pipeline.stall_timeout_s=90",
    "method.num_generations=4",
    # The stand-in's values would teach the policy to ramble, and it judges the free answers.
    "method.learning_rate=1e-9",
    "eval.num_prompts=0",
)
REWARD_TIMEOUT_S = 3.0
STEPS_BETWEEN = 5

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1200)]


class RewardStandIn:
    """Speaks the reward contract; `mode` says how badly. A reward it gives is 1 or more."""

    def __init__(self) -> None:
        self.mode = "good"
        self.port = free_port()
        self.thread: AppThread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        settings = ServiceSettings(port=self.port, drain_timeout_s=0.1)
        self.thread = AppThread(self.app(settings), settings)
        self.thread.start()

    def stop(self) -> None:
        if self.thread is not None:
            self.thread.stop()
            self.thread = None

    def app(self, settings: ServiceSettings) -> FastAPI:
        app = create_app("reward", settings)

        @app.get("/v1/rewards")
        async def rewards() -> RewardList:
            return RewardList(rewards=[info("accuracy"), info("code")])

        @app.post("/v1/score", response_model=None)
        async def score(request: ScoreRequest) -> Response | ScoreResponse:
            match self.mode:
                case "hang":
                    await asyncio.sleep(60)
                case "fail":
                    return Response("Traceback: boom", status_code=500)
                case "garbage":
                    return Response('{"groups": [{"scores": 0', media_type="application/json")
            return ScoreResponse(
                groups=[
                    GroupScore(
                        group_id=group.group_id,
                        scores=[scored(request, answer.text) for answer in group.completions],
                    )
                    for group in request.groups
                ]
            )

        return app


def info(name: str) -> RewardInfo:
    return RewardInfo(name=name, pool="rules", description=name, source="test", params_schema={})


def scored(request: ScoreRequest, text: str) -> CompletionScore:
    value = 1.0 + len(text) / 100
    values = dict.fromkeys([reward.name for reward in request.rewards], value)
    return CompletionScore(total=value, rewards=values)


@pytest.fixture
def service(live) -> Iterator[RewardStandIn]:
    """The run's reward service; it runs until the test stops it."""
    stand_in = RewardStandIn()
    live.installation.env["PLAUDIT_REWARD_URL"] = stand_in.url
    stand_in.start()
    yield stand_in
    stand_in.stop()


def test_rewards_that_do_not_come_are_masked_by_their_deadline(live, service):
    live.start(
        *RECIPE,
        "budget.steps=80",
        f"pipeline.reward_timeout_s={REWARD_TIMEOUT_S:g}",
        'pipeline.on_missing="mask"',
    )
    live.wait("training", lambda status: status.step >= 3, timeout_s=400.0)
    for mode in ("hang", "fail", "garbage"):
        misbehave(live, service, mode)
    misbehave(live, service, "good", away=True)
    summary = live.finish()

    ledger = summary["ledger"]
    assert ledger["admitted"] == ledger["trained"] + sum(ledger["dropped"].values())
    assert ledger["trained"] == 80 * GROUPS_PER_STEP
    assert ledger["dropped"]["no_reward"] >= 4, "each fault lasted until a group was without"
    groups = [group for group in live.lines("groups.jsonl") if group["kind"] != "free"]
    missing = [group for group in groups if group["missing"]]
    assert missing and all(group["reward"] is None for group in missing)
    assert all(group["reward"] >= 1.0 for group in groups if not group["missing"])
    for step in live.lines("metrics.jsonl"):
        for name in ("accuracy", "code"):
            mean = step["rewards"].get(name, {}).get("mean")
            assert mean is None or mean >= 1.0, (step["step"], name, mean)


def misbehave(live, service: RewardStandIn, mode: str, *, away: bool = False) -> None:
    """Until a group was dropped for it, then behave, until the run has moved on."""
    before = live.wait("a status", lambda status: True)
    num_dropped = before.ledger.dropped.get("no_reward", 0)
    service.mode = mode
    if away:
        service.stop()
    status = live.wait(
        f"a group without a reward ({mode}, away: {away})",
        lambda s: s.ledger.dropped.get("no_reward", 0) > num_dropped,
    )
    service.mode = "good"
    if away:
        service.start()
    live.wait("progress", lambda s: s.step >= status.step + STEPS_BETWEEN)


def test_a_run_that_waits_for_missing_rewards_shows_it_and_loses_nothing(live, service):
    live.start(
        *RECIPE,
        "budget.steps=20",
        f"pipeline.reward_timeout_s={REWARD_TIMEOUT_S:g}",
        'pipeline.on_missing="wait"',
    )
    live.wait("training", lambda status: status.step >= 3, timeout_s=400.0)
    service.stop()
    away_since_s = time.monotonic()
    status = live.wait(
        "the view says who waits for the reward service",
        lambda s: any(
            w.who.startswith("scoring ") and "reward at" in w.what and w.since_s > 2 * STEPS_BETWEEN
            for w in s.waiting
        ),
    )
    assert status.ledger.in_flight > 0
    assert time.monotonic() - away_since_s > 2 * REWARD_TIMEOUT_S
    service.start()
    summary = live.finish()
    ledger = summary["ledger"]
    assert ledger["trained"] == 20 * GROUPS_PER_STEP
    assert ledger["dropped"].keys() <= {"run_over", "stale"}
    assert all(group["missing"] == 0 for group in live.lines("groups.jsonl"))
