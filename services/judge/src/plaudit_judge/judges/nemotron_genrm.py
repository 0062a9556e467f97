"""Nemotron GenRM: a generative reward model that compares two answers.

The answers have the roles `response_1` and `response_2`. It replies with JSON: score_1 and score_2
from 1 to 5, and ranking from 1 (response 1 is much better) to 6 (response 2 is much better).
Source: rewards_and_judges.md 3.2.
"""

import contextlib
import json
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from plaudit.schemas.common import Contract, Message
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge import metrics
from plaudit_judge.judges.base import Case, ComparesOnly, KeyedSpec, Opinion, Reply
from plaudit_judge.judges.chat import MAX_REPLY_CHARS, ChatAnswer, ChatEndpoint, ChatUsage
from plaudit_judge.judges.line import Line
from plaudit_judge.judges.nemotron import NVIDIA_URL, describe_model
from plaudit_judge.judges.reward_judge import shown
from plaudit_judge.ledger.prices import Price, charged
from plaudit_judge.limits.rate import estimate_tokens
from plaudit_judge.parse import Seat
from plaudit_judge.rubric import Rubric

_MAX_TRIES = 50
"""Opening braces looked at, from the end: a hostile reply must not cost quadratic time."""


class NemotronGenrmSpec(KeyedSpec):
    reads_rubric = False
    only_compares = True
    kind: Literal["nemotron_genrm"] = "nemotron_genrm"
    model: str = Field(min_length=1)
    """Looked for in GET /models: e.g. nvidia/qwen3-nemotron-235b-a22b-genrm."""
    base_url: str = NVIDIA_URL
    """Up to before /chat/completions."""
    max_tokens: int = Field(default=16_384, ge=16, le=131_072)
    """Of its reasoning and the JSON."""
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)

    def model_name(self) -> str | None:
        return self.model

    def draws(self, rubric: Rubric) -> bool:
        return self.temperature > 0.0


class GenrmMessage(Contract):
    role: Literal["system", "user", "assistant", "response_1", "response_2"]
    content: str


class GenrmRequest(Contract):
    model: str
    messages: list[GenrmMessage]
    temperature: float
    max_tokens: int


class Ranking(BaseModel):
    model_config = ConfigDict(extra="ignore")

    score_1: float | None = None
    score_2: float | None = None
    ranking: int = Field(ge=1, le=6)


class NemotronGenrmJudge(ComparesOnly):
    reads_rubric = False
    is_symmetric = False

    def __init__(
        self,
        name: str,
        spec: NemotronGenrmSpec,
        api_key: SecretStr | None,
        price: Price | None = None,
        line: Line | None = None,
    ) -> None:
        self.name = name
        self._line = line or Line(name, spec)
        self._spec = spec
        self._price = price
        self._endpoint = ChatEndpoint(spec.base_url, api_key, spec.max_concurrency)

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        """By its own principles: it takes neither a rubric nor a reference."""
        asked = [*case.prompt, Message(role="assistant", content=case.first + case.second)]
        num_tokens = estimate_tokens(asked, self._spec.max_tokens)
        reply = await self._line.ask(timeout_s, lambda: self._attempt(case), num_tokens)
        seat = parse_ranking(reply.text)
        metrics.count_verdict(self.name, seat)
        reply = replace(reply, sent=shown(case.prompt, [case.first, case.second]))
        return Opinion(seat, charged(reply, self._price))

    async def _attempt(self, case: Case) -> Reply:
        request = GenrmRequest(
            model=self._spec.model,
            messages=[
                *(GenrmMessage(role=m.role, content=m.content) for m in case.prompt),
                GenrmMessage(role="response_1", content=case.first),
                GenrmMessage(role="response_2", content=case.second),
            ],
            temperature=self._spec.temperature,
            max_tokens=self._spec.max_tokens,
        )
        answer = await self._endpoint.post(
            "/chat/completions", request, ChatAnswer, timeout_s=self._spec.timeout_s
        )
        usage = answer.usage or ChatUsage()
        return Reply(
            text=(answer.choices[0].message.content or "")[-MAX_REPLY_CHARS:],
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )

    async def info(self) -> JudgeInfo:
        return await describe_model(self.name, "nemotron_genrm", self._spec.model, self._endpoint)

    async def aclose(self) -> None:
        await self._endpoint.aclose()


def parse_ranking(text: str) -> Seat | None:
    """By the last JSON object that has a ranking: 1 to 3 is the first answer, 4 to 6 the second."""
    for found in _objects(text):
        try:
            ranking = Ranking.model_validate(found).ranking
        except ValidationError:
            continue
        return "A" if ranking <= 3 else "B"
    return None


def _objects(text: str) -> list[Any]:
    """JSON objects in `text`, the last one first."""
    found, decoder, end = [], json.JSONDecoder(), len(text)
    for _ in range(_MAX_TRIES):
        start = text.rfind("{", 0, end)
        if start < 0:
            break
        with contextlib.suppress(ValueError, RecursionError):
            found.append(decoder.raw_decode(text, start)[0])
        end = start
    return found
