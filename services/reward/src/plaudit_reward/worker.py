"""The worker of one pool: leases requests from its queue and scores them."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import get_args

from pydantic import ValidationError
from redis.asyncio import Redis

from plaudit.client import ClientOptions, SandboxClient
from plaudit.errors import ConfigError, Rejected
from plaudit.queue import FailJob, Lease, Worker, WorkQueue
from plaudit.schemas.reward import ScoreRequest
from plaudit.service.redis import connect
from plaudit_reward.archive.archives import Archives
from plaudit_reward.embedding.embedders import Embedders
from plaudit_reward.models.discriminator.freezes import Freezes
from plaudit_reward.models.discriminator.updates import Updates, is_update
from plaudit_reward.models.engine import EngineLimits
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.openrlhf.remotes import Remotes
from plaudit_reward.partial import Partials
from plaudit_reward.registry import load_registry
from plaudit_reward.reward import Pool
from plaudit_reward.scoring import Resources, Scorer
from plaudit_reward.settings import RewardSettings, queue_name
from plaudit_reward.user_code.pool import UserCode
from plaudit_reward.user_code.process import UserCodeLimits
from plaudit_reward.verifier.pool import VerifierLimits, VerifierPool
from plaudit_reward.verifier.verifier import Verifier
from plaudit_reward.wire import Found


async def work(settings: RewardSettings, pool: Pool, stop: asyncio.Event) -> None:
    """Score until `stop`, then finish or hand back what is leased."""
    async with resources_of(settings, pool) as resources, AsyncExitStack() as stack:
        redis: Redis = Redis.from_url(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        queue = WorkQueue(redis, queue_name(pool), settings.queue_options())
        stack.push_async_callback(queue.aclose)
        scorer = Scorer(load_registry(), pool, resources, settings.max_text_chars)
        partials = Partials(redis, pool, settings.max_deadline_s)
        models = resources.others.get(ModelPool)
        updates = (
            Updates(models, Freezes(redis), settings.max_deadline_s)
            if isinstance(models, ModelPool)
            else None
        )

        async def handle_any(lease: Lease) -> bytes:
            if updates is not None and is_update(lease.job_id):
                return await updates.handle(lease)
            return await handle(lease, scorer, partials, settings.max_deadline_s)

        await Worker(
            queue,
            handle_any,
            worker_id=f"{socket.gethostname()}-{os.getpid()}",
            concurrency=settings.worker_concurrency,
            drain_timeout_s=settings.drain_timeout_s,
        ).run(stop)


async def handle(lease: Lease, scorer: Scorer, partials: Partials, timeout_s: float) -> bytes:
    """The `PoolScores` of one request. Raises FailJob when no other attempt can succeed."""
    try:
        request = ScoreRequest.model_validate_json(lease.payload)
        found: Found = [{} for _ in request.groups]
        async with asyncio.timeout(timeout_s):
            scores = await partials.showing(lease.job_id, found, scorer.score(request, found))
    except (ValidationError, Rejected) as error:
        raise FailJob(f"the worker does not understand the request: {error}") from error
    except TimeoutError:
        raise FailJob(f"not done after max_deadline_s = {timeout_s:g}") from None
    return scores.model_dump_json().encode()


@asynccontextmanager
async def resources_of(settings: RewardSettings, pool: Pool) -> AsyncIterator[Resources]:
    """What the rewards of `pool` need, opened and closed."""
    async with AsyncExitStack() as stack:
        others: dict[type, object] = {
            UserCode: await stack.enter_async_context(user_code(settings))
        }
        if pool == "rules":
            limits = VerifierLimits(settings.verify_timeout_s, settings.verify_memory_bytes)
            children = VerifierPool(settings.verifier_processes, limits)
            verifier = Verifier(await stack.enter_async_context(children))
            others[Remotes] = await stack.enter_async_context(Remotes(settings.remotes))
            others |= await stack.enter_async_context(for_intrinsic_rewards(settings))
            yield Resources(verifier=verifier, others=others)
        elif pool == "code":
            options = ClientOptions(
                api_key=settings.api_key,
                timeout_s=settings.sandbox_timeout_s,
                max_connections=settings.sandbox_concurrency,
            )
            client = await stack.enter_async_context(SandboxClient(settings.sandbox_url, options))
            places = asyncio.Semaphore(settings.sandbox_concurrency)
            yield Resources(sandbox=client, sandbox_places=places, others=others)
        elif pool == "model":
            models = await stack.enter_async_context(model_pool(settings))
            if settings.preload_models:
                await models.preload()
            yield Resources(others={**others, ModelPool: models})
        else:
            yield Resources(others=others)


@asynccontextmanager
async def for_intrinsic_rewards(settings: RewardSettings) -> AsyncIterator[dict[type, object]]:
    embedders = Embedders(settings.embedders, settings.embedding_cache_bytes)
    async with embedders, connect(settings.redis_url) as redis:
        yield {Embedders: embedders, Archives: Archives(redis, settings.archive_limits())}


def user_code(settings: RewardSettings) -> UserCode:
    limits = UserCodeLimits(settings.user_timeout_s, settings.user_memory_bytes)
    return UserCode(settings.user_code_dirs, limits, settings.user_processes)


def model_pool(settings: RewardSettings) -> ModelPool:
    limits = EngineLimits(
        settings.max_batch_tokens, settings.max_resident_models, settings.torch_threads
    )
    return ModelPool(settings.models, limits)


def checked_pool(name: str) -> Pool:
    """Raises ConfigError for a pool that no reward is in."""
    known = {reward.pool for reward in load_registry().rewards.values()}
    for pool in get_args(Pool):
        if pool == name and pool in known:
            return pool  # type: ignore[no-any-return]
    raise ConfigError(
        f"--pool {name!r}: no reward is in it.", fix=f"use {' or '.join(sorted(known))}."
    )
