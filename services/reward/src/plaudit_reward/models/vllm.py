"""A classifier behind vLLM's pooling API, asked for logits.

vLLM squashes by default: a reward model's one logit comes back through a sigmoid unless the
request says `use_activation: false`, which servers that do not know it ignore without a word.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from plaudit.client import ClientOptions, HttpClient
from plaudit.errors import ConfigError, PlauditError, Rejected, Unavailable
from plaudit.scale import Scale
from plaudit.schemas.common import Contract, Message
from plaudit.tasks import end
from plaudit_reward.models.conversation import Conversation
from plaudit_reward.models.metrics import BATCH_SECONDS
from plaudit_reward.models.reward_model import TooLong
from plaudit_reward.models.spec import VllmSpec
from plaudit_reward.reward import Missing

PROBE_PROMPT = "Is it?"
PROBES = ("yes", "no", "a longer text, so that the logits differ", "0 1 2 3")
"""Texts of which squashed and raw values are compared once."""
_SAME = 1e-6

A = TypeVar("A", bound=BaseModel)


class _Peer(BaseModel):
    """A foreign server's answer: what it adds is of no interest."""

    model_config = ConfigDict(extra="ignore")


class _Classified(_Peer):
    probs: list[float] = Field(min_length=1)


class _Classification(_Peer):
    data: list[_Classified]


class _Pooled(_Peer):
    data: list[float] = Field(min_length=1)


class _Pooling(_Peer):
    data: list[_Pooled]


class _Request(Contract):
    """Of either endpoint."""

    model: str | None
    task: str | None
    messages: list[dict[str, str]] | None = None
    input: str | None = None
    use_activation: bool
    truncate_prompt_tokens: int | None = None
    truncation_side: str | None = None

    @model_serializer(mode="wrap")
    def only_what_is_said(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class VllmClient(HttpClient):
    service = "reward model"

    async def classify(self, request: _Request, endpoint: str) -> list[float]:
        """The values of all labels."""
        if endpoint == "classify":
            classified = (await self._post("/classify", request, _Classification)).data
            found = [one.probs for one in classified]
        else:
            found = [one.data for one in (await self._post("/pooling", request, _Pooling)).data]
        if len(found) != 1:
            raise Unavailable(f"{self.peer} gave {len(found)} answers for one text.")
        return found[0]

    async def _post(self, path: str, request: _Request, answer: type[A]) -> A:
        try:
            return await self.post(path, request, answer)
        except Unavailable as error:
            # What the base client advises is right for Plaudit's own services only.
            if error.fix is not None:
                error.fix = "start it, or correct its base_url in [reward.models]"
            raise


class VllmRewardModel:
    """One call for each text: vLLM makes the batches."""

    def __init__(self, name: str, spec: VllmSpec) -> None:
        self.name = name
        self._spec = spec
        options = ClientOptions(
            api_key=spec.read_api_key(),
            timeout_s=spec.timeout_s,
            max_connections=spec.max_concurrency,
        )
        self._client = VllmClient(spec.base_url, options)
        self._places = asyncio.Semaphore(spec.max_concurrency)
        self._checked = not spec.check_activation
        self._checking: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        if self._checking is not None:
            await end([self._checking], again_s=1.0)
        await self._client.aclose()

    async def rewards(
        self, conversations: Sequence[Conversation], too_long: TooLong
    ) -> list[float | Missing]:
        await self._check()
        return list(await asyncio.gather(*(self._reward(one, too_long) for one in conversations)))

    async def scale(self) -> Scale | None:
        mean, std = self._spec.mean, self._spec.std
        return None if mean is None or std is None else Scale(mean, std)

    async def _reward(self, conversation: Conversation, too_long: TooLong) -> float | Missing:
        try:
            values = await self._ask(conversation, too_long)
        except Rejected as error:
            # why: a text that is too long, or that the template refuses, costs just its own value.
            return Missing(f"the reward model refused the text: {error.message}")
        except PlauditError as error:
            return Missing.of(error)
        label = self._spec.label
        if label is None and len(values) != 1:
            return Missing(f"the reward model has {len(values)} labels; say which: label")
        if (label or 0) >= len(values):
            return Missing(f"label = {label}: the reward model has {len(values)} labels")
        return values[label or 0]

    async def _ask(
        self, conversation: Conversation, too_long: TooLong, *, use_activation: bool = False
    ) -> list[float]:
        chat, cut = self._spec.template == "chat", too_long == "truncate"
        request = _Request(
            model=self._spec.model,
            task="classify" if self._spec.endpoint == "pooling" else None,
            messages=conversation.messages() if chat else None,
            input=None if chat else conversation.joined(),
            use_activation=use_activation,
            # -1: to the longest that the server takes.
            truncate_prompt_tokens=(self._spec.max_length_tokens or -1) if cut else None,
            truncation_side="left" if cut else None,
        )
        async with self._places:
            started_s = time.perf_counter()
            values = await self._client.classify(request, self._spec.endpoint)
        BATCH_SECONDS.labels(self.name).observe(time.perf_counter() - started_s)
        return values

    async def _check(self) -> None:
        """Once for all who wait; whoever comes after a check that failed has it made again."""
        if self._checked:
            return
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_activation())
        # Shielded: others wait for the same check.
        await asyncio.shield(self._checking)

    async def _check_activation(self) -> None:
        """Raises ConfigError where raw values look as if they had been squashed all the same."""
        question = [Message(role="user", content=PROBE_PROMPT)]
        probes = [Conversation(question, text) for text in PROBES]
        raw = await asyncio.gather(*(self._ask(one, "null") for one in probes))
        squashed = await asyncio.gather(
            *(self._ask(one, "null", use_activation=True) for one in probes)
        )
        if ignores_activation(raw, squashed):
            raise ConfigError(
                f"{self._client.peer} gives the same values between 0 and 1 with and without "
                "use_activation: it seems to squash what should be logits.",
                fix="run vLLM 0.32 or later, or start the server with --pooler-config "
                "'{\"use_activation\": false}'; check_activation = false believes it",
            )
        self._checked = True


def ignores_activation(raw: Sequence[Sequence[float]], squashed: Sequence[Sequence[float]]) -> bool:
    """Equal, and all of them could be probabilities."""
    pairs = [
        (x, y) for xs, ys in zip(raw, squashed, strict=True) for x, y in zip(xs, ys, strict=False)
    ]
    same = all(math.isclose(x, y, abs_tol=_SAME) for x, y in pairs)
    return same and all(0.0 <= x <= 1.0 for x, _ in pairs)
