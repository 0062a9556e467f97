"""The policy judges itself: the OpenAI-compatible endpoints of the rollout engines."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from plaudit.errors import NotFound, PlauditError, QueueFull, Rejected, Unavailable
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import Ask, Reply, SpecBase
from plaudit_judge.judges.chat import ChatEndpoint
from plaudit_judge.judges.policy import PolicyWatch
from plaudit_judge.judges.retrying import ask_until
from plaudit_judge.judges.text_judge import TextJudge

_REST_S = 2.0
"""How long an engine that failed is passed over while another one is there."""
_DISCOVERY_TIMEOUT_S = 2.0


class SelfSpec(SpecBase):
    """It finds its model itself; its engines are `engine_urls`."""

    kind: Literal["self"] = "self"


@dataclass
class _Engine:
    endpoint: ChatEndpoint
    model: str | None = None
    rests_until_s: float = 0.0

    async def discover(self) -> str:
        if self.model is None:
            self.model = await self.endpoint.first_model(_DISCOVERY_TIMEOUT_S)
        return self.model

    def failed(self, error: PlauditError) -> None:
        """A restarted engine may serve another model name. One that is only full keeps its turn."""
        if not isinstance(error, QueueFull):
            self.model = None
            self.rests_until_s = time.monotonic() + _REST_S


class SelfJudge(TextJudge):
    """Round-robin over the engines that did not just fail."""

    def __init__(
        self, name: str, spec: SelfSpec, engine_urls: Sequence[str], policy: PolicyWatch
    ) -> None:
        self.name = name
        self._timeout_s = spec.timeout_s
        self.policy = policy
        self._engines = [
            _Engine(ChatEndpoint(url.rstrip("/") + "/v1", None, spec.max_concurrency))
            for url in engine_urls
        ]
        self._turn = 0

    async def ask(self, ask: Ask, timeout_s: float) -> Reply:
        return await ask_until(self.name, timeout_s, lambda: self._attempt(ask))

    async def _attempt(self, ask: Ask) -> Reply:
        engine = self._next_engine()
        policy = await self.policy.current()
        try:
            model = await engine.discover()
            reply = await engine.endpoint.chat(
                model, ask, self._timeout_s, cache_salt=policy.cache_salt
            )
        except NotFound as error:
            engine.failed(error)
            raise Unavailable(f"the engine no longer serves its model: {error.message}") from error
        except Unavailable as error:
            engine.failed(error)
            raise
        return replace(reply, policy_version=policy.version)

    def _next_engine(self) -> _Engine:
        self._turn += 1
        order = [
            self._engines[(self._turn + i) % len(self._engines)] for i in range(len(self._engines))
        ]
        now_s = time.monotonic()
        return next(
            (engine for engine in order if engine.rests_until_s <= now_s),
            min(order, key=lambda engine: engine.rests_until_s),
        )

    async def info(self) -> JudgeInfo:
        """Asks the engines, because they come and go."""
        reason = None
        for engine in self._engines:
            try:
                model = await engine.endpoint.first_model(_DISCOVERY_TIMEOUT_S)
            except (Unavailable, Rejected) as error:
                reason = error.message
            else:
                return JudgeInfo(name=self.name, kind="self", model=model, available=True)
        return JudgeInfo(name=self.name, kind="self", available=False, reason=reason)

    async def aclose(self) -> None:
        for engine in self._engines:
            await engine.endpoint.aclose()
        await self.policy.aclose()
