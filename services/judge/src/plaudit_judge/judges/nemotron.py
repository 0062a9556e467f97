"""Scalar reward models on NVIDIA's endpoint or a self-hosted NIM, e.g. Nemotron-70B-Reward.

They are asked through POST /chat/completions with the conversation up to the answer, and say one
number, `reward:-12.3`, or a list of attributes, `helpfulness:1.26,correctness:..`. Rewards compare
only among answers to one prompt. Sources: algorithms.md 3.4, rewards_and_judges.md 3.2.
"""

import asyncio
import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Contract, Message
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import KeyedSpec, Reply, Reward
from plaudit_judge.judges.chat import ChatEndpoint, ChatUsage
from plaudit_judge.judges.line import Line
from plaudit_judge.judges.reward_judge import RewardJudge
from plaudit_judge.ledger.prices import Price, charged
from plaudit_judge.limits.rate import estimate_tokens
from plaudit_judge.together import together

NVIDIA_URL = "https://integrate.api.nvidia.com/v1"
_INFO_TIMEOUT_S = 2.0
_MAX_KEPT = 10_000
"""Rewards remembered, so that a tournament asks once for each answer and not for each pair."""
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_NAMED = re.compile(rf"([A-Za-z][\w .-]{{0,63}}?)\s*[:=]\s*({_NUMBER})(?![\w.])", re.IGNORECASE)
_BARE = re.compile(rf"\s*({_NUMBER})\s*", re.IGNORECASE)


class NemotronSpec(KeyedSpec):
    reads_rubric = False
    gives_rewards = True
    kind: Literal["nemotron"] = "nemotron"
    model: str = Field(min_length=1)
    """Looked for in GET /models: e.g. nvidia/llama-3.1-nemotron-70b-reward."""
    base_url: str = NVIDIA_URL
    """Up to before /chat/completions."""
    attribute: str | None = None
    """Of several numbers, the one that is the reward; None: `reward`, else `helpfulness`."""
    tie_margin: float = Field(default=0.0, ge=0.0)
    """Rewards that differ by no more than this are a tie."""

    def model_name(self) -> str | None:
        return self.model


class RewardChatRequest(Contract):
    model: str
    messages: list[Message]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _RewardMessage(_Answer):
    content: str | list[Any] | None = None


class _RewardChoice(_Answer):
    message: _RewardMessage
    logprobs: Any = None


class RewardAnswer(_Answer):
    choices: list[_RewardChoice] = Field(min_length=1)
    usage: ChatUsage | None = None


class NemotronJudge(RewardJudge):
    def __init__(
        self,
        name: str,
        spec: NemotronSpec,
        api_key: SecretStr | None,
        price: Price | None = None,
        line: Line | None = None,
    ) -> None:
        self.name = name
        self._line = line or Line(name, spec)
        self._spec = spec
        self._price = price
        self.tie_margin = spec.tie_margin
        self._endpoint = ChatEndpoint(spec.base_url, api_key, spec.max_concurrency)
        self._kept: OrderedDict[tuple[str, ...], Reward] = OrderedDict()
        self._asking: dict[tuple[str, ...], asyncio.Task[Reward]] = {}

    async def rewards(
        self,
        prompt: list[Message],
        responses: Sequence[str],
        reference: str | None,
        timeout_s: float,
    ) -> list[Reward]:
        """The reference is not shown: such models take none."""
        asked = (partial(self._reward, prompt, response, timeout_s) for response in responses)
        return await together(asked, self._spec.max_concurrency)

    async def _reward(self, prompt: list[Message], response: str, timeout_s: float) -> Reward:
        """Single flight: the pairs of a tournament want the same rewards at the same time."""
        messages = [*prompt, Message(role="assistant", content=response)]
        key = tuple(part for m in messages for part in (m.role, m.content))
        if key in self._kept:
            return _known(self._kept[key])
        if key in self._asking:
            # What it cost is counted by who asked first.
            shared = await asyncio.shield(self._asking[key])
            return _known(shared)
        task = asyncio.create_task(self._ask(key, messages, timeout_s))
        self._asking[key] = task
        task.add_done_callback(partial(self._asked, key))
        return await asyncio.shield(task)

    def _asked(self, key: tuple[str, ...], task: asyncio.Task[Reward]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # why: nobody may be waiting for it any more

    async def _ask(self, key: tuple[str, ...], messages: list[Message], timeout_s: float) -> Reward:
        try:
            reply = await self._line.ask(
                timeout_s, lambda: self._attempt(messages), estimate_tokens(messages, 0)
            )
        except Rejected as error:
            return Reward(None, f"refused: {error.message}")
        value = pick(parse_rewards(reply.text), self._spec.attribute)
        reason = None if value is not None else f"no reward in the reply {reply.text[:200]!r}"
        charge = charged(reply, self._price)
        reward = Reward(
            value,
            reason,
            reply.prompt_tokens,
            reply.completion_tokens,
            cost_usd=charge.cost_usd,
            unpriced_calls=charge.unpriced_calls,
        )
        if value is not None:
            self._keep(key, reward)
        return reward

    def _keep(self, key: tuple[str, ...], reward: Reward) -> None:
        self._kept[key] = reward
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)

    async def _attempt(self, messages: list[Message]) -> Reply:
        request = RewardChatRequest(model=self._spec.model, messages=messages)
        answer = await self._endpoint.post(
            "/chat/completions", request, RewardAnswer, timeout_s=self._spec.timeout_s
        )
        usage = answer.usage or ChatUsage()
        return Reply(
            text=_text(answer.choices[0]),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )

    async def info(self) -> JudgeInfo:
        """Whether the endpoint has this model: which are hosted changes."""
        return await describe_model(self.name, "nemotron", self._spec.model, self._endpoint)

    async def aclose(self) -> None:
        for task in list(self._asking.values()):
            task.cancel()
        await self._endpoint.aclose()


def _known(reward: Reward) -> Reward:
    """The same for somebody else, who did not pay for it."""
    return Reward(reward.value, reward.reason, calls=0)


async def describe_model(name: str, kind: str, model: str, endpoint: ChatEndpoint) -> JudgeInfo:
    """An endpoint that is out of reach says nothing: the API may be where only workers get out."""
    reason: str | None
    try:
        models = await endpoint.models(_INFO_TIMEOUT_S)
    except Unavailable:
        reason = None
    except Rejected as error:
        reason = error.message
    else:
        some = ", ".join(sorted(models)[:5])
        reason = None if model in models else f"the endpoint has no model {model!r}; it has {some}"
    return JudgeInfo(name=name, kind=kind, model=model, available=reason is None, reason=reason)


def _text(choice: _RewardChoice) -> str:
    """The content, or the logprobs list that some servers put the rewards into."""
    content = choice.message.content
    if isinstance(content, list):
        return _named(content)
    if content and content.strip():
        return content
    logprobs = choice.logprobs
    return _named(logprobs.get("content") if isinstance(logprobs, dict) else logprobs)


def _named(entries: Any) -> str:
    """[{"token": "helpfulness", "logprob": 1.26}, ...] as `helpfulness:1.26,...`."""
    found = [
        f"{entry['token']}:{entry['logprob']!r}"
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
        and isinstance(entry.get("token"), str)
        and isinstance(entry.get("logprob"), int | float)
    ]
    return ",".join(found)


def parse_rewards(text: str) -> dict[str, float]:
    """The numbers of a reply by name; a bare number is `reward`. Not finite is not there."""
    bare = _BARE.fullmatch(text)
    found = (
        {"reward": bare[1]} if bare else {m[1].strip().lower(): m[2] for m in _NAMED.finditer(text)}
    )
    numbers = {name: float(number) for name, number in found.items()}
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def pick(found: dict[str, float], attribute: str | None) -> float | None:
    """The one number that is the reward; several that nobody chose from are none."""
    if attribute is not None:
        return found.get(attribute.lower())
    for name in ("reward", "helpfulness"):
        if name in found:
            return found[name]
    return next(iter(found.values())) if len(found) == 1 else None
