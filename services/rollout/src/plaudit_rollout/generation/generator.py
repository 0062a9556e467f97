"""One job of the queue: a prompt becomes a finished group on the board."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from plaudit.errors import Rejected
from plaudit.queue import Lease, RetryJob
from plaudit.queue.batch import Batcher
from plaudit.schemas.rollout import Completion, RolloutGroup
from plaudit_rollout.board import Board
from plaudit_rollout.engine.client import (
    Choice,
    EngineAway,
    EngineClient,
    EngineFailed,
    EngineLost,
    Tokenized,
)
from plaudit_rollout.generation.prompts import Prompts
from plaudit_rollout.job import RolloutJob
from plaudit_rollout.metrics import (
    COMPLETIONS,
    DISCARDED,
    GENERATE_SECONDS,
    GROUPS,
    IN_FLIGHT,
    TOKENS,
)
from plaudit_rollout.policy.follower import Follower
from plaudit_rollout.policy.weights import Span, Weights
from plaudit_rollout.settings import RolloutSettings

_MAX_TRIES = 20
_REST_S = 0.2
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Generated:
    choices: list[Choice]
    versions: list[int]


class Generator:
    """A group is finished exactly once, with completions or with an error that says why not."""

    def __init__(
        self,
        settings: RolloutSettings,
        engine: EngineClient,
        weights: Weights,
        follower: Follower,
        board: Board,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._weights = weights
        self._follower = follower
        self._board = board
        self._prompts = Prompts(engine, settings.max_cached_prompts)
        self._stamps: Batcher[None, str] = Batcher(self._read_stamps, lambda _: 0)

    async def handle(self, lease: Lease) -> bytes:
        """Raises RetryJob while attempts are left, and Unavailable when Redis is away."""
        job = RolloutJob.model_validate_json(lease.payload)
        with IN_FLIGHT.track_inprogress():
            group = await self._group_or_error(job, lease.deliveries)
        await self.finish(group)
        return b""

    async def finish(self, group: RolloutGroup) -> None:
        if not await self._board.finish(group):
            return
        GROUPS.labels("ok" if group.error is None else "error").inc()
        TOKENS.labels("prompt").inc(len(group.prompt_token_ids))
        for completion in group.completions:
            TOKENS.labels("completion").inc(len(completion.token_ids))
            COMPLETIONS.labels(completion.finish_reason).inc()

    async def _group_or_error(self, job: RolloutJob, deliveries: int) -> RolloutGroup:
        try:
            return await self._group(job)
        except Rejected as error:
            return self.failed(job, error.message)
        except RetryJob as retry:
            if deliveries < self._settings.max_deliveries:
                raise
            return self.failed(job, f"given up after {deliveries} attempts: {retry.reason}")

    def failed(self, job: RolloutJob, reason: str, prompt: Tokenized | None = None) -> RolloutGroup:
        return RolloutGroup(
            run_id=job.run_id,
            group_id=job.prompt.group_id,
            prompt=job.prompt.prompt,
            prompt_token_ids=prompt.tokens if prompt else [],
            reference=job.prompt.reference,
            completions=[],
            error=reason,
            replica_id=self._settings.replica_name,
        )

    async def _group(self, job: RolloutJob) -> RolloutGroup:
        prompt = await self._tokenized(job)
        if len(prompt.tokens) >= prompt.max_model_len:
            return self.failed(job, _too_long(prompt), prompt)
        queued_s = max(0.0, time.time() - job.submitted_at)
        started = time.monotonic()
        generated = await self._generated(job, prompt)
        generate_s = time.monotonic() - started
        GENERATE_SECONDS.observe(generate_s)
        group = RolloutGroup(
            run_id=job.run_id,
            group_id=job.prompt.group_id,
            prompt=job.prompt.prompt,
            prompt_token_ids=prompt.tokens,
            reference=job.prompt.reference,
            completions=[
                _completion(one, generated.versions, job.prompt.sampling.entropies)
                for one in generated.choices
            ],
            replica_id=self._settings.replica_name,
            queued_s=queued_s,
            generate_s=generate_s,
        )
        return self._bounded(job, group)

    def _bounded(self, job: RolloutJob, group: RolloutGroup) -> RolloutGroup:
        limit = self._settings.max_group_bytes
        # why: a number takes up to about 25 characters, and exact sizes are expensive.
        num_tokens = sum(len(one.token_ids) for one in group.completions)
        if num_tokens * 75 < limit or len(group.model_dump_json()) <= limit:
            return group
        return self.failed(job, f"the finished group is larger than max_group_bytes = {limit}.")

    async def _tokenized(self, job: RolloutJob) -> Tokenized:
        """An engine that is lost here did nothing for the group yet: wait for it to come back."""
        for _ in range(_MAX_TRIES):
            try:
                return await self._prompts.tokenize(job.prompt.prompt, self._weights.life)
            except (EngineLost, EngineFailed):
                await self._engine_failed()
        raise RetryJob("the prompt could not be tokenised: the engine keeps failing")

    async def _generated(self, job: RolloutJob, prompt: Tokenized) -> Generated:
        """Again and again until every token is of weights that were proven."""
        for _ in range(_MAX_TRIES):
            async with self._weights.span() as span:
                choices = await self._choices(job, prompt, span)
                reason = await self._why_untrusted(span, choices)
            if reason is None:
                return Generated(choices, span.versions)
            DISCARDED.labels(reason).inc()
        raise RetryJob(f"discarded {_MAX_TRIES} times, the last time: {reason}")

    async def _choices(self, job: RolloutJob, prompt: Tokenized, span: Span) -> list[Choice]:
        """Empty when the engine could not be reached, and so did nothing for the group."""
        want = job.prompt
        try:
            # why: vLLM refuses several greedy completions, which would all be the same.
            num_drawn = 1 if want.sampling.temperature == 0.0 else want.n
            drawn = await self._engine.generate(
                prompt.tokens, num_drawn, want.sampling, span.salt, span.adapter
            )
            return drawn * (want.n // num_drawn)
        except EngineAway:
            await self._engine_failed()
            return []
        except (EngineLost, EngineFailed) as error:
            DISCARDED.labels("engine_lost").inc()
            self._follower.wake.set()
            # why: this attempt counts, or a prompt that kills the engine would do it for ever.
            raise RetryJob(str(error), delay_s=_RETRY_S) from error

    async def _why_untrusted(self, span: Span, choices: list[Choice]) -> str | None:
        """A version being proven may turn out bad; an engine that restarted forgot its stamp."""
        await self._weights.settled.wait()
        if span.spoiled:
            return "refused_version"
        if not choices or any(one.finish_reason == "abort" for one in choices):
            return "engine_lost"
        try:
            if await self._stamps.call(None) == span.life:
                return None
        except (EngineLost, EngineFailed):
            pass
        await self._engine_failed()
        return "unknown_weights"

    async def _read_stamps(self, askers: Sequence[None]) -> list[str]:
        """One read for all groups that had ended when it began."""
        return [await self._engine.read_stamp()] * len(askers)

    async def _engine_failed(self) -> None:
        """Has the follower look at the engine; if it is gone, the worker takes the job back."""
        self._follower.wake.set()
        await asyncio.sleep(_REST_S)
        await self._weights.settled.wait()


def _too_long(prompt: Tokenized) -> str:
    return (
        f"the prompt has {len(prompt.tokens)} tokens and the engine's context "
        f"{prompt.max_model_len}, which leaves none for a completion. "
        "Fix: shorten the prompt or raise PLAUDIT_ROLLOUT_MAX_MODEL_TOKENS"
    )


def _completion(choice: Choice, versions: list[int], with_entropies: bool) -> Completion:
    # why: each value was checked when the engine's answer was parsed.
    return Completion.model_construct(
        text=choice.text,
        token_ids=choice.token_ids,
        logprobs=choice.logprobs.token_logprobs,
        entropies=choice.logprobs.entropies() if with_entropies else None,
        finish_reason=choice.finish_reason,
        policy_versions=versions,
    )
