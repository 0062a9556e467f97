"""The conductor's surroundings: a real Redis and ledger, and services that speak the contracts."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from fastapi import FastAPI, Request, Response

from plaudit.client import ClientOptions, JudgeClient, RewardClient, RolloutClient
from plaudit.config import dump_recipe
from plaudit.config.settings import ServiceSettings
from plaudit.errors import PlauditError, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.discriminator import (
    DiscriminatorFreeze,
    DiscriminatorFrozen,
    DiscriminatorUpdate,
    DiscriminatorUpdated,
)
from plaudit.schemas.judge import TournamentRequest, TournamentResponse, Usage
from plaudit.schemas.policy import (
    PolicyAnnouncement,
    PolicyManifest,
    PolicyReplica,
    PolicyState,
    Probe,
    ProbeSequence,
)
from plaudit.schemas.recipe import Recipe
from plaudit.schemas.reward import CompletionScore, GroupScore, ScoreRequest, ScoreResponse
from plaudit.schemas.rollout import (
    Completion,
    FinishedRollouts,
    RolloutAccepted,
    RolloutAck,
    RolloutAcked,
    RolloutGroup,
    RolloutPrompt,
    RolloutRequest,
)
from plaudit.service import create_app
from plaudit.testing import running
from plaudit_trainer.conductor.arrivals import Arrivals
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.main import client_options
from plaudit_trainer.conductor.scoring import Scorer
from plaudit_trainer.data import Row
from plaudit_trainer.ledger import ConductorLedger, LearnerLedger
from plaudit_trainer.redis_clients import connect_async
from plaudit_trainer.run_dir import RunDir
from plaudit_trainer.settings import TrainerSettings

RUN_ID = "r"
PATIENCE_S = 60.0


async def until_true(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    """Waits for something that must come."""
    async with asyncio.timeout(patience_s):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def until() -> Callable[..., Any]:
    return until_true


def numbered(number: int) -> Completion:
    return Completion(
        text=str(number), token_ids=[number], logprobs=[-0.1], finish_reason="stop",
        policy_versions=[0],
    )  # fmt: skip


@dataclass
class Rollouts:
    """The rollout service: groups are finished when `finish` is called, or at once."""

    at_once: bool = True
    is_down: bool = False
    loses_acks: bool = False
    error: str | None = None
    complete: Callable[[int], Completion] = numbered
    url: str = ""
    policy: PolicyState = field(default_factory=lambda: PolicyState(announced=None, replicas=[]))
    submitted: list[str] = field(default_factory=list)
    """Group ids in the order they came, again and again those that came again."""
    lanes: set[str] = field(default_factory=set)
    prompts: dict[tuple[str, str], RolloutPrompt] = field(default_factory=dict)
    results: dict[tuple[str, str], RolloutGroup] = field(default_factory=dict)
    leased: set[tuple[str, str]] = field(default_factory=set)
    acked: list[str] = field(default_factory=list)
    consumer: str = ""

    def app(self) -> FastAPI:
        app = create_app("rollout", ServiceSettings(drain_timeout_s=0.1))

        @app.post("/v1/rollouts", status_code=202)
        async def submit(request: RolloutRequest) -> RolloutAccepted:
            self.check_up()
            known = [p.group_id for p in request.groups if (request.run_id, p.group_id) in self]
            new = [prompt for prompt in request.groups if prompt.group_id not in known]
            self.submitted += [prompt.group_id for prompt in request.groups]
            self.lanes.add(request.lane)
            for prompt in new:
                self.prompts[request.run_id, prompt.group_id] = prompt
                if self.at_once:
                    self.finish(prompt.group_id, request.run_id)
            return RolloutAccepted(accepted=[p.group_id for p in new], existing=known)

        @app.get("/v1/rollouts")
        async def finished(
            run_id: str, max: int, wait: float, consumer: str = ""
        ) -> FinishedRollouts:
            self.check_up()
            if not (groups := self.lease(run_id, max, consumer)):
                await asyncio.sleep(min(wait, 0.05))
                groups = self.lease(run_id, max, consumer)
            return FinishedRollouts(groups=groups)

        @app.post("/v1/rollouts/ack")
        async def ack(request: RolloutAck) -> RolloutAcked:
            self.check_up()
            if not self.loses_acks:
                for group_id in request.group_ids:
                    self.prompts.pop((request.run_id, group_id), None)
                    self.results.pop((request.run_id, group_id), None)
                    self.acked.append(group_id)
            return RolloutAcked(acked=0 if self.loses_acks else len(request.group_ids))

        @app.get("/v1/policy")
        async def policy() -> PolicyState:
            self.check_up()
            return self.policy

        return app

    def __contains__(self, key: object) -> bool:
        return key in self.prompts

    def check_up(self) -> None:
        if self.is_down:
            raise Unavailable("it is being restarted")

    def finish(self, group_id: str, run_id: str = RUN_ID) -> None:
        """What a worker does."""
        prompt = self.prompts[run_id, group_id]
        completions = [self.complete(number) for number in range(prompt.n)]
        self.results[run_id, group_id] = RolloutGroup(
            run_id=run_id, group_id=group_id, prompt=prompt.prompt, prompt_token_ids=[1],
            reference=prompt.reference, completions=[] if self.error else completions,
            error=self.error, replica_id="e0",
        )  # fmt: skip

    def lease(self, run_id: str, most: int, consumer: str) -> list[RolloutGroup]:
        """A new consumer takes over what the one before had leased."""
        if consumer != self.consumer:
            self.consumer = consumer
            self.leased.clear()
        keys = [key for key in self.results if key[0] == run_id and key not in self.leased][:most]
        self.leased.update(keys)
        return [self.results[key] for key in keys]


ScoreAnswer = Callable[[ScoreRequest], Awaitable[Response]]


def scored(request: ScoreRequest, value: float | None, **errors: str) -> ScoreResponse:
    rewards = {spec.name: value for spec in request.rewards}
    one = CompletionScore(total=value, rewards=rewards, errors=errors)
    return ScoreResponse(
        groups=[
            GroupScore(group_id=group.group_id, scores=[one] * len(group.completions))
            for group in request.groups
        ]
    )


async def all_right(request: ScoreRequest) -> Response:
    return as_json(scored(request, 1.0))


def as_json(answer: ScoreResponse) -> Response:
    """With NaN in it, if need be, which pydantic would not write."""
    return Response(json.dumps(answer.model_dump()), media_type="application/json")


@dataclass
class Rewards:
    """The reward service and, beside it, the judge. `answer` is theirs to misbehave with."""

    answer: ScoreAnswer = all_right
    verdicts: list[list[float | None]] = field(default_factory=list)
    """What each tournament yields; then nobody wins."""
    url: str = ""
    keys: list[str] = field(default_factory=list)
    refusal: PlauditError | None = None
    """Of whoever wants something of the discriminator."""
    lessons: list[DiscriminatorUpdate] = field(default_factory=list)
    freezes: list[DiscriminatorFreeze] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = create_app("reward", ServiceSettings(drain_timeout_s=0.1))

        @app.post("/v1/discriminator/update")
        async def update(request: Request, body: DiscriminatorUpdate) -> DiscriminatorUpdated:
            self.keys.append(request.headers["idempotency-key"])
            if self.refusal is not None:
                raise self.refusal
            self.lessons.append(body)
            return DiscriminatorUpdated(
                discriminator=body.discriminator, version=len(self.lessons), loss=0.5,
                accuracy=0.75, separation=0.25, num_positives=1, num_negatives=2, num_left_out=0,
            )  # fmt: skip

        @app.post("/v1/discriminator/freeze")
        async def freeze(body: DiscriminatorFreeze) -> DiscriminatorFrozen:
            if self.refusal is not None:
                raise self.refusal
            self.freezes.append(body)
            return DiscriminatorFrozen(
                discriminator=body.discriminator, frozen=body.frozen, owners=[body.owner]
            )

        @app.post("/v1/score")
        async def score(request: Request, body: ScoreRequest) -> Response:
            self.keys.append(request.headers["idempotency-key"])
            return await self.answer(body)

        @app.post("/v1/tournament")
        async def tournament(request: Request, body: TournamentRequest) -> TournamentResponse:
            self.keys.append(request.headers["idempotency-key"])
            nobody: list[float | None] = [None] * len(body.responses)
            rewards = self.verdicts.pop(0) if self.verdicts else nobody
            return TournamentResponse(
                ratings=[1000.0] * len(rewards), rewards=rewards, comparisons=[], usage=Usage()
            )

        return app


@pytest.fixture
def rollouts() -> Iterator[Rollouts]:
    stand_in = Rollouts()
    with running(stand_in.app()) as stand_in.url:
        yield stand_in


@pytest.fixture
def rewards() -> Iterator[Rewards]:
    stand_in = Rewards()
    with running(stand_in.app()) as stand_in.url:
        yield stand_in


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    """Keyword arguments replace parts: `pipeline={"max_staleness": 0}`."""

    def make(**parts: Any) -> Recipe:
        document: dict[str, Any] = {
            "name": "test",
            "rewards": [{"name": "accuracy"}],
            "method": {"num_generations": 2},
            "pipeline": {
                "groups_per_step": 2, "max_staleness": 0, "reward_timeout_s": 0.5,
                "stall_timeout_s": 10.0,
            },
            "budget": {"steps": 3, "checkpoint_every_steps": 1},
            "eval": {"num_prompts": 3, "samples": 2, "reward_by_kind": {"math": "accuracy"}},
        }  # fmt: skip
        for name, part in parts.items():
            old = document.get(name)
            document[name] = {**old, **part} if isinstance(old, dict) else part
        return Recipe.model_validate(document)

    return make


@pytest.fixture
def rows() -> list[Row]:
    return [make_row(number) for number in range(5)]


def make_row(number: int, kind: str = "math") -> Row:
    prompt = [Message(role="user", content=f"{number}+{number}?")]
    return Row(id=str(number), kind=kind, prompt=prompt, reference={"answer": str(2 * number)})


@pytest.fixture
def run_dir(tmp_path: Path, make_recipe: Callable[..., Recipe]) -> RunDir:
    path = tmp_path / "run"
    path.mkdir()
    (path / "recipe.toml").write_text(dump_recipe(make_recipe()))
    (path / "run.json").write_text(json.dumps({"run_id": RUN_ID}))
    return RunDir(path)


@pytest.fixture
async def conductors(
    redis_url: str,
    rollouts: Rollouts,
    rewards: Rewards,
    run_dir: RunDir,
    rows: list[Row],
    make_recipe: Callable[..., Recipe],
) -> AsyncIterator[Callable[..., Context]]:
    """`conductors()` is a conductor that has just started: each call stands for a process."""
    async with AsyncExitStack() as stack:

        def start(**parts: Any) -> Context:
            client = connect_async(redis_url)
            stack.push_async_callback(client.aclose)
            options = ClientOptions(max_attempts=1)
            rollout = RolloutClient(rollouts.url, options)
            stack.push_async_callback(rollout.aclose)
            context = Context(
                run_id=RUN_ID,
                run_dir=run_dir,
                recipe=make_recipe(**parts),
                rows=rows,
                ledger=ConductorLedger(client, RUN_ID),
                rollout=rollout,
            )
            stack.callback(context.stopping.set)
            return context

        yield start


@pytest.fixture
async def make_scorer(rewards: Rewards) -> AsyncIterator[Callable[..., Scorer]]:
    """The scorer of a conductor, asking as patiently as the real one does."""
    async with AsyncExitStack() as stack:

        def make(context: Context, url: str | None = None) -> Scorer:
            recipe = context.recipe
            options = client_options(TrainerSettings(), recipe)
            reward = RewardClient(url or rewards.url, options)
            judge = JudgeClient(url or rewards.url, options)
            for client in (reward, judge):
                stack.push_async_callback(client.aclose)
            return Scorer(recipe.rewards, recipe.judge, recipe.pipeline, reward, judge)

        yield make


@pytest.fixture
async def arrive(make_scorer: Callable[..., Scorer]) -> AsyncIterator[Callable[..., Any]]:
    """`arrive(context)` starts its arrivals; a failure of theirs fails the test at its end."""
    tasks: list[asyncio.Task[None]] = []

    def start(context: Context, url: str | None = None) -> "asyncio.Task[None]":
        task = asyncio.create_task(Arrivals(context, make_scorer(context, url)).run())
        tasks.append(task)
        return task

    yield start
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [e for e in ended if isinstance(e, Exception)] == []


class Learner:
    """What the learner does to the ledger and to the engines, without any weights."""

    def __init__(self, ledger: LearnerLedger, run_dir: RunDir, rollouts: Rollouts) -> None:
        self.ledger = ledger
        self.step = 0
        self.trained: list[str] = []
        self._run_dir = run_dir
        self._rollouts = rollouts

    def train(self, num_groups: int) -> list[str]:
        groups = [group.group_id for group in self.ledger.peek_ready(num_groups)]
        self.step += 1
        self.ledger.commit_step(self.step, groups, {})
        self.ledger.checkpointed(self.step)
        self.trained += groups
        return groups

    def publish(self, *, serves: bool = True) -> None:
        """Version and step are the same here."""
        probe = Probe(sequences=[ProbeSequence(token_ids=[1, 2], logprobs=[-0.1])])
        manifest = PolicyManifest(
            run_id=RUN_ID, version=self.step, step=self.step, files={}, probe=probe
        )
        path = self._run_dir.policy_manifest(self.step)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manifest.model_dump_json())
        announced = PolicyAnnouncement(
            run_id=RUN_ID, version=self.step, path=str(path.parent), manifest_sha256="0" * 64
        )
        replicas = self._rollouts.policy.replicas
        if serves:
            replicas = [
                PolicyReplica(replica_id="e0", version=self.step, state="serving", updated_at=0.0)
            ]
        self._rollouts.policy = PolicyState(announced=announced, replicas=replicas)

    async def learn(self, num_steps: int, num_groups: int) -> None:
        """The whole of it, as a process of its own would do."""
        self.publish()
        while self.step < num_steps:
            while self.ledger.count_ready() < num_groups:
                await asyncio.sleep(0.01)
            self.train(num_groups)
            self.publish()
        self.ledger.set_progress({"learner": "finished"})


@pytest.fixture
def learner(redis_url: str, run_dir: RunDir, rollouts: Rollouts) -> Iterator[Learner]:
    with redis.Redis.from_url(redis_url) as client:
        ledger = LearnerLedger(client, RUN_ID)
        ledger.claim("test")
        yield Learner(ledger, run_dir, rollouts)


@pytest.fixture
def respond() -> Callable[..., ScoreAnswer]:
    """`respond(value, **errors)`: every reward of every completion has that value."""

    def make(value: float | None, **errors: str) -> ScoreAnswer:
        async def answer(request: ScoreRequest) -> Response:
            return as_json(scored(request, value, **errors))

        return answer

    return make
