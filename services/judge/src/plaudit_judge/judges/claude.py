"""A judge behind Anthropic's Messages API, called through its own SDK (extra `claude`)."""

import asyncio
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr
from redis.asyncio import Redis

from plaudit.config.api_key import WithApiKey
from plaudit.errors import ConfigError, QueueFull, Rejected, Unavailable
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import Ask, Reply
from plaudit_judge.judges.claude_batch_log import BatchLog
from plaudit_judge.judges.claude_batch_spec import BatchSpec
from plaudit_judge.judges.claude_batch_wire import BatchWire
from plaudit_judge.judges.claude_batches import Batches
from plaudit_judge.judges.claude_errors import our_errors
from plaudit_judge.judges.claude_wire import body_of, reply_of
from plaudit_judge.judges.line import Line
from plaudit_judge.judges.openai import Structured, is_about_structure, no_structure
from plaudit_judge.judges.text_judge import TextJudge
from plaudit_judge.ledger.prices import Price, charged
from plaudit_judge.limits.breaker import OtherServer

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_BATCH_PRICE = 0.5
"""Of a call in a Message Batch, as a share of the price table's."""
_NO_PACKAGE = "the package `anthropic` is not installed. Fix: pip install 'plaudit-judge[claude]'"


class ClaudeSpec(BatchSpec):
    kind: Literal["claude"] = "claude"
    model: str = Field(min_length=1)
    base_url: str = "https://api.anthropic.com"
    structured: Structured = "auto"
    """Hold the judge to a JSON schema. auto: until the endpoint says that it offers none."""

    def read_api_key(self) -> SecretStr | None:
        """Without a place of its own the key is where the SDK looks for it."""
        if self.api_key_env is None and self.api_key_file is None:
            return WithApiKey(api_key_env="ANTHROPIC_API_KEY").read_api_key()
        return super().read_api_key()

    def model_name(self) -> str | None:
        return self.model

    def missing(self) -> str | None:
        if importlib.util.find_spec("anthropic") is None:
            return _NO_PACKAGE
        return super().missing()


class ClaudeJudge(TextJudge):
    """The SDK's own retries are off: `Line` is the one retry layer."""

    def __init__(
        self,
        name: str,
        spec: ClaudeSpec,
        api_key: SecretStr | None,
        price: Price | None = None,
        redis: Redis | None = None,
        line: Line | None = None,
    ) -> None:
        """With `redis` it asks in batches. Raises ConfigError: the SDK is not installed."""
        self.name = name
        self._line = line or Line(name, spec)
        self._spec = spec
        self._price = price
        self.offers_structure = spec.structured != "off"
        self._peer = f"judge endpoint at {spec.base_url}"
        self._client = _open(spec, api_key)
        self._batches: Batches | None = None
        if redis is not None:
            wire = BatchWire(self._client, spec.timeout_s, self._peer)
            self._batches = Batches(wire, spec, BatchLog(redis, name, spec.batch_deadline_s))

    async def ask(self, ask: Ask, timeout_s: float) -> Reply:
        reply = await self._line.ask(timeout_s, lambda: self._attempt(ask), ask.num_tokens())
        reply = charged(reply, self._price)
        if self._batches is not None:
            reply = replace(reply, cost_usd=_BATCH_PRICE * reply.cost_usd)
        return reply

    async def _attempt(self, ask: Ask) -> Reply:
        structured = ask.schema is not None and self.offers_structure
        try:
            return await self._create(ask, structured)
        except Rejected as error:
            if not structured or not is_about_structure(error):
                raise
            if self._spec.structured == "on":
                raise no_structure(error) from error
        self.offers_structure = False
        return await self._create(ask, structured=False)

    async def _create(self, ask: Ask, structured: bool) -> Reply:
        body = body_of(ask, self._spec.model, structured)
        if self._batches is not None:
            with _another_batch():
                return reply_of(await self._batches.ask(body, ask.seed), structured)
        with our_errors(self._peer):
            # why: the SDK's time limit is for each read, and a slow trickle never ends.
            async with asyncio.timeout(self._spec.timeout_s):
                message = await self._client.messages.create(**body)
        return reply_of(message, structured)

    async def info(self) -> JudgeInfo:
        """From the settings alone: a listing must not cost a call of a hosted endpoint."""
        return JudgeInfo(name=self.name, kind="claude", model=self._spec.model, available=True)

    async def aclose(self) -> None:
        if self._batches is not None:
            await self._batches.aclose()
        await self._client.close()


@contextmanager
def _another_batch() -> Iterator[None]:
    """A batch that failed is a failure of each ask in it: too many at once for the breaker."""
    try:
        yield
    except QueueFull:
        raise
    except Unavailable as error:
        raise OtherServer(error.message, fix=error.fix) from error


def _open(spec: ClaudeSpec, api_key: SecretStr | None) -> "AsyncAnthropic":
    try:
        import anthropic

        from plaudit_judge.judges.claude_body import bound_body
    except ImportError as error:
        raise ConfigError("the package `anthropic` is not installed.", fix=_NO_PACKAGE) from error
    http = anthropic.DefaultAsyncHttpxClient(event_hooks={"response": [bound_body]})
    return anthropic.AsyncAnthropic(
        api_key=api_key.get_secret_value() if api_key else "none",
        base_url=spec.base_url,
        max_retries=0,
        timeout=spec.timeout_s,
        http_client=http,
        # A body of another shape is an error here, not a crash where it is used.
        _strict_response_validation=True,
    )
