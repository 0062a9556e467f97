"""The OpenAI chat wire format: one attempt at one endpoint. Retrying is the judge's."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from plaudit.client import ClientOptions, HttpClient
from plaudit.errors import Unavailable
from plaudit.schemas.common import Contract, Message
from plaudit_judge.judges.base import Ask, Reply

MAX_REPLY_CHARS = 100_000
"""Of a longer reply the end is kept, where the verdict stands."""
MAX_RESPONSE_BYTES = 4 * 2**20


class ChatRequest(Contract):
    model: str
    messages: list[Message]
    temperature: float
    max_tokens: int
    seed: int


class ResponseFormat(Contract):
    type: Literal["json_schema"] = "json_schema"
    json_schema: dict[str, Any]


class StructuredChatRequest(ChatRequest):
    """OpenAI's and vLLM's structured output."""

    response_format: ResponseFormat


class SaltedChatRequest(ChatRequest):
    """vLLM's extension: key-value blocks are shared only among equal salts."""

    cache_salt: str


class _Answer(BaseModel):
    """The parts that are read; endpoints add keys of their own."""

    model_config = ConfigDict(extra="ignore")


class ChatMessage(_Answer):
    content: str | None = None
    """Null for a refusal or a tool call: no verdict."""


class ChatChoice(_Answer):
    message: ChatMessage


class PromptTokensDetails(_Answer):
    cached_tokens: int | None = Field(default=None, ge=0)


class ChatUsage(_Answer):
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    prompt_tokens_details: PromptTokensDetails | None = None

    def cached_tokens(self) -> int:
        details = self.prompt_tokens_details
        return (details.cached_tokens or 0) if details else 0


class ChatAnswer(_Answer):
    choices: list[ChatChoice] = Field(min_length=1)
    usage: ChatUsage | None = None


class Model(_Answer):
    id: str = Field(min_length=1)


class ModelList(_Answer):
    data: list[Model]


class ChatEndpoint(HttpClient):
    """`base_url` ends before /chat/completions, e.g. https://api.openai.com/v1."""

    service = "judge endpoint"
    how_to_reach = "start it, or correct its address in the settings of the judge service."

    def __init__(self, base_url: str, api_key: SecretStr | None, max_connections: int) -> None:
        options = ClientOptions(
            api_key=api_key,
            max_attempts=1,
            max_connections=max_connections,
            max_response_bytes=MAX_RESPONSE_BYTES,
        )
        super().__init__(base_url, options)

    async def chat(
        self, model: str, ask: Ask, timeout_s: float, *, cache_salt: str | None = None
    ) -> Reply:
        """Raises Rejected and its kinds, or Unavailable and its kinds: garbage is Unavailable."""
        request = ChatRequest(
            model=model,
            messages=ask.messages,
            temperature=ask.temperature,
            max_tokens=ask.max_tokens,
            seed=ask.seed,
        )
        if ask.schema is not None:
            verdict = {"name": "verdict", "strict": True, "schema": ask.schema}
            wanted = ResponseFormat(json_schema=verdict)
            request = StructuredChatRequest(**dict(request), response_format=wanted)
        if cache_salt is not None:
            request = SaltedChatRequest(**dict(request), cache_salt=cache_salt)
        answer = await self.post("/chat/completions", request, ChatAnswer, timeout_s=timeout_s)
        usage = answer.usage or ChatUsage()
        return Reply(
            text=(answer.choices[0].message.content or "")[-MAX_REPLY_CHARS:],
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens(),
            structured=ask.schema is not None,
        )

    async def newest_model(self, timeout_s: float) -> str:
        """The model that the endpoint serves. Raises Unavailable when it serves none.

        vLLM lists adapters after the weights beneath them, the one loaded last at the end.
        """
        models = await self.models(timeout_s)
        if not models:
            raise Unavailable(f"{self.peer} serves no model.")
        return models[-1]

    async def models(self, timeout_s: float) -> list[str]:
        """The ids of all models that the endpoint serves."""
        found = await self.get("/models", ModelList, timeout_s=timeout_s)
        return [model.id for model in found.data]
