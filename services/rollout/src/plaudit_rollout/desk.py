"""Submitting and settling groups: the queue and the board kept in step."""

from collections.abc import Callable

from plaudit.queue import Job, WorkQueue
from plaudit.schemas.rollout import (
    RolloutAccepted,
    RolloutAck,
    RolloutAcked,
    RolloutPrompt,
    RolloutRequest,
)
from plaudit.telemetry import current_traceparent
from plaudit_rollout.board import Board, Opened
from plaudit_rollout.job import RolloutJob, job_id

_ENDED = frozenset({"done", "failed", "dead", "cancelled"})


class Desk:
    """A crash between any two steps is mended when the caller repeats the call."""

    def __init__(self, queue: WorkQueue, board: Board, clock: Callable[[], float]) -> None:
        self._queue = queue
        self._board = board
        self._clock = clock

    async def submit(self, request: RolloutRequest) -> RolloutAccepted:
        """Raises QueueFull, Unavailable, BodyTooLarge, Rejected."""
        prompts = {prompt.group_id: prompt for prompt in request.groups}
        jobs = {group: self._job(request, prompt) for group, prompt in prompts.items()}
        opened = await self._board.open(request.run_id, list(prompts))
        before = dict(zip(prompts, opened, strict=True))
        await self._queue_up([jobs[g] for g in prompts if before[g] is not Opened.FINISHED])
        return RolloutAccepted(
            accepted=[group for group in prompts if before[group] is Opened.NEW],
            existing=[group for group in prompts if before[group] is not Opened.NEW],
        )

    async def ack(self, ack: RolloutAck) -> RolloutAcked:
        """The queue forgets first: a group that is still on the board is delivered again."""
        await self._queue.forget([job_id(ack.run_id, group) for group in ack.group_ids])
        return RolloutAcked(acked=await self._board.ack(ack.run_id, ack.group_ids))

    async def _queue_up(self, jobs: list[Job]) -> None:
        """A job that ended without a result on the board is of an earlier life of its id."""
        by_id = {job.job_id: job for job in jobs}
        submitted = await self._queue.submit_many(jobs)
        stale = [one.job_id for one in submitted if not one.created and one.status in _ENDED]
        if stale:
            await self._queue.forget(stale)
            await self._queue.submit_many([by_id[one] for one in stale])

    def _job(self, request: RolloutRequest, prompt: RolloutPrompt) -> Job:
        body = RolloutJob(run_id=request.run_id, prompt=prompt, submitted_at=self._clock())
        return Job(
            job_id=job_id(request.run_id, prompt.group_id),
            payload=body.model_dump_json().encode(),
            lane=request.lane,
            traceparent=current_traceparent(),
        )
