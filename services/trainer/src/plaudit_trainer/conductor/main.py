"""The conductor process: wires the loops to the services and serves the run's status."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from plaudit.client import ClientOptions, JudgeClient, RewardClient, RolloutClient
from plaudit.config import load_settings
from plaudit.errors import PlauditError
from plaudit.queue import WorkQueue
from plaudit.reward_pools import MODEL_REWARDS
from plaudit.schemas.recipe import Recipe, RewardRecipe
from plaudit.schemas.run import RunStatus
from plaudit.service import create_app, serve
from plaudit.telemetry import get_logger
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.discriminator.make import of_discriminator
from plaudit_trainer.conductor.evaluation import EvalScorers
from plaudit_trainer.conductor.lifecycle import Lifecycle
from plaudit_trainer.conductor.metrics import run_metrics_text
from plaudit_trainer.conductor.scoring import GroupScorer, Scorer
from plaudit_trainer.conductor.status import StatusPage
from plaudit_trainer.conductor.units.make import with_units
from plaudit_trainer.conductor.watch import PolicyWatch
from plaudit_trainer.data import Row, load_rows
from plaudit_trainer.ledger import ConductorLedger
from plaudit_trainer.redis_clients import connect_async
from plaudit_trainer.run_dir import RunDir
from plaudit_trainer.settings import TrainerSettings

_UNLIMITED_ATTEMPTS = 1_000_000
_MAX_BACKOFF_S = 2.0

log = get_logger(__name__)


def run(run_path: Path) -> None:
    """Serve and conduct until SIGTERM; the run's end does not end the status page."""
    settings = load_settings(TrainerSettings, service="trainer")
    run_dir = RunDir(run_path)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            conductor = await build(run_dir, settings, stack)
            app.state.page = conductor.page
            app.state.context = conductor.context
            task = asyncio.create_task(conductor.conduct())
            task.add_done_callback(_end_if_broken)
            try:
                yield
            finally:
                conductor.context.stopping.set()
                task.cancel()
                await asyncio.wait({task})
            if not task.cancelled():
                task.result()

    async def more_metrics() -> bytes:
        context: Context = app.state.context
        return await run_metrics_text(context)

    app = create_app("trainer", settings, lifespan=lifespan, more_metrics=more_metrics)

    @app.get("/v1/status")
    async def status() -> RunStatus:
        page: StatusPage = app.state.page
        return await page.status()

    serve(app, settings)


def _end_if_broken(task: asyncio.Task[None]) -> None:
    """What nobody foresaw must not leave a page that answers for loops that are gone.

    The process ends with the traceback, and the supervisor starts it again.
    """
    if not task.cancelled() and task.exception() is not None:
        signal.raise_signal(signal.SIGTERM)


class Conductor:
    """The loops of one run and the page that shows them."""

    def __init__(self, context: Context, lifecycle: Lifecycle, page: StatusPage) -> None:
        self.context = context
        self.page = page
        self._lifecycle = lifecycle

    async def conduct(self) -> None:
        try:
            await self._lifecycle.run()
        except PlauditError as error:
            log.error("run_failed", reason=str(error))


async def build(run_dir: RunDir, settings: TrainerSettings, stack: AsyncExitStack) -> Conductor:
    """Raises ConfigError when the recipe's files cannot be used."""
    recipe = run_dir.recipe()
    rows = load_rows(recipe)
    eval_rows = _eval_rows(recipe)
    redis = connect_async(settings.redis_url)
    stack.push_async_callback(redis.aclose)
    options = client_options(settings, recipe)
    rollout = await stack.enter_async_context(
        # Its loops ask again by themselves, and say that they wait.
        RolloutClient(settings.rollout_url, ClientOptions(api_key=settings.api_key))
    )
    reward = await stack.enter_async_context(RewardClient(settings.reward_url, options))
    judge = await stack.enter_async_context(JudgeClient(settings.judge_url, options))
    context = Context(
        run_id=run_dir.run_id,
        run_dir=run_dir,
        recipe=recipe,
        rows=rows,
        ledger=ConductorLedger(redis, run_dir.run_id),
        rollout=rollout,
    )
    scorer_for = partial(
        Scorer,
        pipeline=recipe.pipeline,
        reward_client=reward,
        judge_client=judge,
        run_id=run_dir.run_id,
    )
    for_training = scorer_for(recipe.rewards, recipe.judge, mixing=recipe.mixing)
    scorer: GroupScorer = for_training
    for_eval = partial(scorer_for, lane="eval")
    eval_scorers = EvalScorers(
        counted=for_eval(eval_rewards(recipe), None),
        shown=for_eval(shown_rewards(recipe), recipe.judge, mixing=recipe.mixing),
    )
    if recipe.method.name == "drca":
        scorer = await with_units(recipe, for_training, reward)
    policy = PolicyWatch(context)
    lifecycle = Lifecycle(
        context, policy, scorer, eval_scorers, eval_rows, *of_discriminator(context, reward)
    )
    queues = [WorkQueue(redis, name) for name in stage_names(recipe)]
    return Conductor(context, lifecycle, StatusPage(context, policy, queues))


def client_options(settings: TrainerSettings, recipe: Recipe) -> ClientOptions:
    """A service that is away is asked again until the deadline: no count of attempts ends it first.

    Giving up early would mask rewards, and drop groups, that a restarted service still gives.
    """
    return ClientOptions(
        api_key=settings.api_key,
        timeout_s=recipe.pipeline.reward_timeout_s,
        max_attempts=_UNLIMITED_ATTEMPTS,
        max_backoff_s=_MAX_BACKOFF_S,
    )


def stage_names(recipe: Recipe) -> list[str]:
    """Names of the queues that the recipe's groups pass."""
    names = ["rollout", "reward-rules", "reward-code"]
    names += ["reward-model"] if MODEL_REWARDS & {one.name for one in shown_rewards(recipe)} else []
    return [*names, f"judge-{recipe.judge.judge}.train"] if recipe.judge else names


def eval_rewards(recipe: Recipe) -> list[RewardRecipe]:
    """The reward that counts as accuracy for each kind, with the recipe's own parameters."""
    params = {reward.name: reward.params for reward in recipe.rewards}
    by_name: dict[str, list[str]] = {}
    for kind, name in recipe.eval.reward_by_kind.items():
        by_name.setdefault(name, []).append(kind)
    return [
        RewardRecipe(name=name, params=params.get(name, {}), kinds=kinds)
        for name, kinds in by_name.items()
    ]


def shown_rewards(recipe: Recipe) -> list[RewardRecipe]:
    """All that training uses and, beside it, what counts as accuracy and training does not use."""

    def is_used(name: str, kind: str) -> bool:
        return any(r.name == name and (r.kinds is None or kind in r.kinds) for r in recipe.rewards)

    others = []
    for reward in eval_rewards(recipe):
        if kinds := [kind for kind in reward.kinds or [] if not is_used(reward.name, kind)]:
            others.append(reward.model_copy(update={"kinds": kinds, "weight": 0.0}))
    return [*recipe.rewards, *others]


def _eval_rows(recipe: Recipe) -> list[Row]:
    return load_rows(recipe, "eval") if recipe.eval.num_prompts else []
