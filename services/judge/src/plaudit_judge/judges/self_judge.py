"""The policy judges itself: the OpenAI-compatible endpoints of the rollout engines."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from plaudit.errors import NotFound, QueueFull, Rejected, Unavailable
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import Ask, LimitedSpec, Reply
from plaudit_judge.judges.chat import ChatEndpoint
from plaudit_judge.judges.line import Line
from plaudit_judge.judges.policy import PolicyWatch
from plaudit_judge.judges.text_judge import TextJudge
from plaudit_judge.limits.breaker import OtherServer

_REST_S = 2.0
"""How long an engine that failed is passed over while another one is there."""
_DISCOVERY_TIMEOUT_S = 2.0


class SelfSpec(LimitedSpec):
    """It finds its model itself; its engines are `engine_urls`."""

    kind: Literal["self"] = "self"


@dataclass
class _Engine:
    endpoint: ChatEndpoint
    model: str | None = None
    found_under: str | None = None
    rests_until_s: float = 0.0

    async def discover(self, cache_salt: str | None) -> str:
        """Asked again whenever other weights are served: they may have a name of their own."""
        if self.model is None or self.found_under != cache_salt:
            self.model = await self.endpoint.newest_model(_DISCOVERY_TIMEOUT_S)
            self.found_under = cache_salt
        return self.model

    def rest(self) -> None:
        """It failed. A restarted engine may serve another model name."""
        self.model = None
        self.rests_until_s = time.monotonic() + _REST_S


class SelfJudge(TextJudge):
    """Round-robin over the engines that did not just fail."""

    def __init__(
        self,
        name: str,
        spec: SelfSpec,
        engine_urls: Sequence[str],
        policy: PolicyWatch,
        line: Line | None = None,
    ) -> None:
        self.name = name
        self._line = line or Line(name, spec)
        self._timeout_s = spec.timeout_s
        self.policy = policy
        self._engines = [
            _Engine(ChatEndpoint(url.rstrip("/") + "/v1", None, spec.max_concurrency))
            for url in engine_urls
        ]
        self._turn = 0

    async def ask(self, ask: Ask, timeout_s: float) -> Reply:
        return await self._line.ask(timeout_s, lambda: self._attempt(ask), ask.num_tokens())

    async def _attempt(self, ask: Ask) -> Reply:
        engine = self._next_engine()
        policy = await self.policy.current()
        try:
            model = await engine.discover(policy.cache_salt)
            reply = await engine.endpoint.chat(
                model, ask, self._timeout_s, cache_salt=policy.cache_salt
            )
        except NotFound as error:
            gone = Unavailable(f"the engine no longer serves its model: {error.message}")
            raise self._failed(engine, gone) from error
        except QueueFull:
            raise  # it is only full, and keeps its turn
        except Unavailable as error:
            raise self._failed(engine, error) from None
        return replace(reply, policy_version=policy.version)

    def _failed(self, engine: _Engine, error: Unavailable) -> Unavailable:
        """As long as another engine may answer, the judge itself is not away."""
        engine.rest()
        if any(other.rests_until_s <= time.monotonic() for other in self._engines):
            return OtherServer(error.message, fix=error.fix)
        return error

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
                model = await engine.endpoint.newest_model(_DISCOVERY_TIMEOUT_S)
            except (Unavailable, Rejected) as error:
                reason = error.message
            else:
                return JudgeInfo(name=self.name, kind="self", model=model, available=True)
        return JudgeInfo(name=self.name, kind="self", available=False, reason=reason)

    async def aclose(self) -> None:
        for engine in self._engines:
            await engine.endpoint.aclose()
        await self.policy.aclose()
