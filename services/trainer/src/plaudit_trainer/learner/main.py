"""The learner process: load, resume, train, leave a final model.

Started by `plaudit-trainer learner --run-dir DIR`, or as a module by torchrun or accelerate.
"""

import os
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plaudit.client import ClientOptions, RolloutClient
from plaudit.config import load_settings
from plaudit.errors import Conflict, Corrupt, PlauditError, Stalled
from plaudit.schemas.recipe import Recipe
from plaudit.telemetry import export_spans, get_logger, setup_logging
from plaudit_trainer.hub import HubPusher
from plaudit_trainer.learner.announcer import Announcer
from plaudit_trainer.learner.checkpoint import CheckpointRecord, CheckpointStore
from plaudit_trainer.learner.memory import explaining_out_of_memory
from plaudit_trainer.learner.metrics import cut_metrics
from plaudit_trainer.learner.orphan import exit_when_orphaned
from plaudit_trainer.learner.signals import StopSignal, stop_signal
from plaudit_trainer.learner.source import GroupSource, StopRequested
from plaudit_trainer.learner.threads import default_num_threads
from plaudit_trainer.learner.wait import WHO
from plaudit_trainer.learner.weights import LearnedWeights
from plaudit_trainer.ledger import LearnerLedger
from plaudit_trainer.policy_store import PolicyStore
from plaudit_trainer.redis_clients import connect_sync
from plaudit_trainer.replay import ReplayBuffer
from plaudit_trainer.run_dir import RunDir
from plaudit_trainer.settings import TrainerSettings
from plaudit_trainer.tracking import Tracker, open_tracker

if TYPE_CHECKING:
    from plaudit_trainer.learner.hooks import Hooks

_FLUSH_POLL_S = 0.2

log = get_logger(__name__)


def run(run_path: Path) -> None:
    """Train until the recipe's steps are done, or SIGTERM.

    Raises ConfigError (a setting, the disk), Stalled (no groups come), Conflict (another learner
    took the run over). What another start cannot mend is recorded as the run's failure.
    """
    settings = load_settings(TrainerSettings, service="trainer")
    setup_logging("learner", settings.log_level, settings.log_format)
    export_spans("plaudit-learner", settings.otlp_endpoint)
    run_dir = RunDir(run_path)
    if "RANK" in os.environ:
        exit_when_orphaned()
    with ExitStack() as stack:
        stop = stack.enter_context(stop_signal())
        leader = None
        if int(os.environ.get("RANK", "0")) == 0:
            leader = open_leader(run_dir, settings, stop, stack)
        try:
            train(run_dir, leader, stop)
        except Conflict:
            raise
        except PlauditError as error:
            if leader is not None:
                leader.ledger.fail(error)
            raise


@dataclass(frozen=True)
class Leader:
    """What only rank 0 has."""

    ledger: LearnerLedger
    store: PolicyStore
    announcer: Announcer
    source: GroupSource


def open_leader(
    run_dir: RunDir, settings: TrainerSettings, stop: StopSignal, stack: ExitStack
) -> Leader:
    recipe = run_dir.recipe()
    redis = connect_sync(settings.redis_url)
    stack.callback(redis.close)
    ledger = LearnerLedger(redis, run_dir.run_id)
    ledger.claim(f"{socket.gethostname()}:{os.getpid()}")
    policies = run_dir.path / "policies"
    store = PolicyStore(policies, run_dir.run_id, keep=recipe.budget.keep_policies)
    options = ClientOptions(api_key=settings.api_key)
    client = stack.enter_context(RolloutClient(settings.rollout_url, options).sync())
    announcer = Announcer(client.announce)
    stack.callback(announcer.close)
    source = GroupSource(ledger, recipe, store.steps, store.next_version, stop.came)
    return Leader(ledger, store, announcer, source)


def train(run_dir: RunDir, leader: Leader | None, stop: StopSignal) -> None:
    recipe = run_dir.recipe()
    checkpoints = CheckpointStore(
        run_dir.path / "checkpoints",
        keep=recipe.budget.keep_checkpoints,
        is_writer=leader is not None,
        best_is=recipe.budget.best_is,
    )
    newest = checkpoints.newest()
    if leader is not None:
        checkpoints.remove_incomplete()
        go_back(run_dir, leader.ledger, newest)
        check_ledger(leader.ledger, recipe, newest)
        leader.source.learned = learned_weights(recipe, newest)
        leader.source.replay = replay_buffer(recipe, checkpoints, newest)
    hooks = build(run_dir, recipe, leader, checkpoints, newest)
    resume_from = None if newest is None else str(checkpoints.path(newest.step))
    stop.defer()
    try:
        if recipe.budget.steps == 0:
            hooks.publish(0)
        else:
            with explaining_out_of_memory():
                hooks.trainer.train(resume_from_checkpoint=resume_from)
    except StopRequested:
        hooks.checkpoint(hooks.trainer.num_steps_done)
        log.info("stopped", step=hooks.trainer.num_steps_done)
    else:
        if leader is not None:
            wait_announced(leader, recipe.pipeline.stall_timeout_s)
        hooks.training_ends()
    finally:
        hooks.close()
    hooks.trainer.accelerator.end_training()


def wait_announced(leader: Leader, timeout_s: float) -> None:
    """The run is not over before the engines can hear of its last version. Raises Stalled."""
    announcer, ledger = leader.announcer, leader.ledger
    deadline_s = time.monotonic() + timeout_s
    ledger.set_waiting(WHO, "the rollout service, to announce the last policy version")
    while not announcer.wait_delivered(_FLUSH_POLL_S) and not leader.source.is_stopping():
        if time.monotonic() > deadline_s:
            raise Stalled(
                "learner: the rollout service did not take the announcement of the last policy "
                f"version for {timeout_s:.0f} s (pipeline.stall_timeout_s).",
                fix="start the rollout service (PLAUDIT_ROLLOUT_URL) and resume the run",
            )
    ledger.set_waiting(WHO, None)


def go_back(run_dir: RunDir, ledger: LearnerLedger, newest: CheckpointRecord | None) -> None:
    """Undo what was trained after the newest checkpoint: it will be trained again."""
    step = 0 if newest is None else newest.step
    returned = ledger.rollback(step)
    ledger.checkpointed(step)
    cut_metrics(run_dir.path, step)
    ledger.set_waiting(WHO, None)
    log.info("starting", step=step, groups_returned=returned)


def check_ledger(ledger: LearnerLedger, recipe: Recipe, newest: CheckpointRecord | None) -> None:
    """Raises Corrupt when Redis has lost groups that the checkpoint was trained on."""
    expected = 0 if newest is None else newest.step * recipe.pipeline.groups_per_step
    trained = ledger.counts().trained
    if trained != expected:
        raise Corrupt(
            f"learner: the checkpoint was trained on {expected} groups and the ledger in Redis "
            f"counts {trained}: Redis has lost the state of this run.",
            fix="give Redis its append-only file back and resume, or start a new run from that "
            "checkpoint (model.path); let Redis keep its data (appendonly yes)",
        )


def learned_weights(recipe: Recipe, newest: CheckpointRecord | None) -> LearnedWeights | None:
    if not recipe.mixing.learnable:
        return None
    weights = {name: one.weight for name, one in recipe.mixed().items()}
    state = newest.reward_weights if newest is not None else None
    return LearnedWeights(weights, recipe.mixing.learning_rate, state)


def replay_buffer(
    recipe: Recipe, checkpoints: CheckpointStore, newest: CheckpointRecord | None
) -> ReplayBuffer | None:
    """As the newest checkpoint has it. Raises Corrupt."""
    if recipe.pipeline.replay is None:
        return None
    replay = ReplayBuffer(recipe.pipeline.replay, recipe.seed)
    if newest is not None:
        replay.read(checkpoints.path(newest.step))
    return replay


def build(
    run_dir: RunDir,
    recipe: Recipe,
    leader: Leader | None,
    checkpoints: CheckpointStore,
    newest: CheckpointRecord | None,
) -> "Hooks":
    """Torch is loaded here, after everything that can be refused without it."""
    import torch
    import transformers

    from plaudit_trainer.learner.arguments import grpo_config
    from plaudit_trainer.learner.critic.model import load_critic
    from plaudit_trainer.learner.feed import BatchFeed
    from plaudit_trainer.learner.hooks import BeginCallback, Hooks
    from plaudit_trainer.learner.loading import load_model, load_tokenizer
    from plaudit_trainer.learner.publisher import Publisher
    from plaudit_trainer.learner.trainer import LearnerTrainer

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    has_gpu = torch.cuda.is_available() and os.environ.get("ACCELERATE_USE_CPU") != "true"
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_num_threads(recipe.learner.num_threads or default_num_threads(num_processes))
    # Loaded before DeepSpeed is set up, which would shard what is loaded after it.
    value_model = load_critic(recipe)
    args = grpo_config(recipe, run_dir.path, has_gpu=has_gpu, num_processes=num_processes)
    feed = BatchFeed(leader.source if leader else None, mask_truncated=recipe.method.mask_truncated)
    tokenizer = load_tokenizer(recipe)
    trainer = LearnerTrainer(
        load_model(recipe),
        args,
        tokenizer,
        feed.next_rows,
        recipe.method,
        groups_per_step=recipe.pipeline.groups_per_step,
        max_tokens_per_pass=recipe.learner.max_tokens_per_pass,
        value_model=value_model,
    )
    if newest is not None:
        trainer.load_method(checkpoints.path(newest.step))
    store, announcer = (leader.store, leader.announcer) if leader else (None, None)
    last_step = 0 if newest is None else newest.step
    tracker = Tracker()
    if leader is not None:
        tracker = open_tracker(recipe, run_dir.path, run_dir.run_id, last_step)
    hooks = Hooks(
        run_id=run_dir.run_id,
        run_dir=run_dir.path,
        recipe=recipe,
        trainer=trainer,
        tokenizer=tokenizer,
        feed=feed,
        checkpoints=checkpoints,
        publisher=Publisher(trainer, tokenizer, store, announcer, recipe),
        ledger=leader.ledger if leader else None,
        is_resumed=newest is not None,
        tracker=tracker,
        hub=HubPusher(recipe.hub, run_dir.path) if leader and recipe.hub else None,
    )
    trainer.hooks = hooks
    trainer.add_callback(BeginCallback(hooks))
    return hooks
