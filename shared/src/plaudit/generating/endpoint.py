"""Any endpoint with OpenAI's chat wire format."""

from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from plaudit.client import ClientOptions, HttpClient
from plaudit.errors import Forbidden, Rejected, Unauthorized
from plaudit.generating.generator import seed_of
from plaudit.generating.prompts import PromptRow
from plaudit.schemas.common import Contract, Message
from plaudit.schemas.generate import Ask, GeneratedText

_MODELS_TIMEOUT_S = 10.0


class ChatRequest(Contract):
    model: str
    messages: list[Message]
    n: int
    temperature: float
    top_p: float
    max_tokens: int
    top_k: int | None
    """vLLM's extension, which OpenAI refuses."""
    seed: int | None

    @model_serializer(mode="wrap")
    def without_what_is_not_asked(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class _Answer(BaseModel):
    """The parts that are read; endpoints add keys of their own."""

    model_config = ConfigDict(extra="ignore")


class _Message(_Answer):
    content: str | None = None
    """Null for a refusal."""


class _Choice(_Answer):
    message: _Message
    finish_reason: str | None = Field(default=None, max_length=64)


class ChatAnswer(_Answer):
    choices: list[_Choice]


class _ModelList(_Answer):
    data: list[Any]


class EndpointGenerator(HttpClient):
    """`base_url` ends before /chat/completions, e.g. https://api.openai.com/v1."""

    service = "endpoint"
    how_to_reach = "start it, or correct --endpoint"

    def __init__(self, base_url: str, model: str, options: ClientOptions) -> None:
        super().__init__(base_url, options)
        self._model = model

    async def check(self) -> None:
        """Whether somebody is there, before any row is asked. Raises Unauthorized, Unavailable."""
        try:
            await self.get("/models", _ModelList, timeout_s=_MODELS_TIMEOUT_S)
        except (Unauthorized, Forbidden):
            raise
        except Rejected:
            return  # why: not every endpoint lists its models.

    async def generate(self, row: PromptRow, key: str, ask: Ask) -> list[GeneratedText]:
        sampling = ask.sampling
        request = ChatRequest(
            model=self._model,
            messages=row.prompt,
            n=ask.n,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            top_k=sampling.top_k or None,
            seed=seed_of(ask, row),
        )
        answer = await self.post("/chat/completions", request, ChatAnswer, idempotency_key=key)
        texts = [
            GeneratedText(text=choice.message.content, finish_reason=choice.finish_reason)
            for choice in answer.choices
            if choice.message.content is not None
        ]
        if len(texts) < ask.n:
            raise Rejected(f"{self.peer} gave {len(texts)} of {ask.n} completions.")
        return texts

    async def settle(self, key: str) -> None:
        """The endpoint remembers nothing."""
