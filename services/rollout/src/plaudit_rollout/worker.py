"""The worker beside one engine: keeps it at the newest version and generates while it serves."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress

from plaudit.errors import Unavailable
from plaudit.queue import Lease, Worker, WorkQueue
from plaudit.tasks import end
from plaudit_rollout.board import Board
from plaudit_rollout.engine.client import EngineClient
from plaudit_rollout.generation.generator import Generator
from plaudit_rollout.job import RolloutJob
from plaudit_rollout.policy.board import PolicyBoard
from plaudit_rollout.policy.follower import Follower
from plaudit_rollout.policy.weights import Weights
from plaudit_rollout.redis_client import connect
from plaudit_rollout.settings import QUEUE_NAME, RolloutSettings
from plaudit_rollout.tasks import CLEAN_UP_S, first_of

_SWEEP_S = 5.0
_MAX_DEAD = 1000

Handler = Callable[[Lease], Awaitable[bytes]]


async def work(settings: RolloutSettings, stop: asyncio.Event) -> None:
    """Until `stop`; what is unfinished then is handed back.

    Raises:
        Rejected: the engine is no vLLM with its development endpoints.
    """
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        engine = EngineClient(
            settings.engine_url, settings.generate_timeout_s, settings.load_timeout_s
        )
        stack.push_async_callback(engine.aclose)
        queue = WorkQueue(redis, QUEUE_NAME, settings.queue_options())
        stack.push_async_callback(queue.aclose)
        weights = Weights()
        follower = Follower(settings, engine, PolicyBoard(redis, settings.replica_ttl_s), weights)
        if settings.pooling:
            await _until(stop, follower.run())
            return
        generator = Generator(settings, engine, weights, follower, Board(redis, settings))
        helpers = [
            asyncio.create_task(follower.run()),
            asyncio.create_task(return_dead_forever(queue, generator)),
        ]
        await _generate_beside(settings, queue, generator.handle, weights, stop, helpers)


async def _until(stop: asyncio.Event, following: Coroutine[None, None, None]) -> None:
    """Follows until `stop`; raises what ends the following before."""
    task = asyncio.create_task(following)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end({task, stopping}, again_s=CLEAN_UP_S)
    if not task.cancelled():
        task.result()


async def _generate_beside(
    settings: RolloutSettings,
    queue: WorkQueue,
    handle: Handler,
    weights: Weights,
    stop: asyncio.Event,
    helpers: list[asyncio.Task[None]],
) -> None:
    """Ends when `stop` is set or a helper fails; in both cases jobs are handed back first."""
    ended = asyncio.Event()
    generating = asyncio.create_task(_generate(settings, queue, handle, weights, ended))
    stopping = asyncio.create_task(stop.wait())
    tasks = {stopping, generating, *helpers}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.set()
        await asyncio.wait({generating})
        await end(tasks, again_s=CLEAN_UP_S)
    for task in (generating, *helpers):
        if not task.cancelled():
            task.result()


async def _generate(
    settings: RolloutSettings,
    queue: WorkQueue,
    handle: Handler,
    weights: Weights,
    stop: asyncio.Event,
) -> None:
    """Takes jobs only while there is something to serve; otherwise they are for other workers."""
    while not stop.is_set():
        await first_of(stop, weights.available)
        ended = asyncio.Event()
        worker = Worker(
            queue,
            handle,
            worker_id=f"{settings.replica_name}-{os.getpid()}",
            concurrency=settings.concurrency,
            drain_timeout_s=settings.drain_timeout_s,
        )
        running = asyncio.create_task(worker.run(ended))
        try:
            await first_of(stop, weights.gone)
        finally:
            ended.set()
            await running


async def return_dead_forever(queue: WorkQueue, generator: Generator) -> None:
    """A job that killed its worker too often comes back as a group with an error."""
    returned: set[str] = set()
    while True:
        with suppress(Unavailable):
            dead = await queue.list_dead(_MAX_DEAD)
            for letter in dead:
                if letter.job_id not in returned:
                    job = RolloutJob.model_validate_json(letter.payload)
                    await generator.finish(generator.failed(job, letter.error))
            returned = {letter.job_id for letter in dead}
        await asyncio.sleep(_SWEEP_S)
