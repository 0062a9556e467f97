"""OpenAI's POST /embeddings, and vLLM's, which pools the policy's hidden states."""

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from plaudit.client import ClientOptions, HttpClient
from plaudit.errors import Unavailable
from plaudit.schemas.common import Contract
from plaudit_reward.embedding.embedder import Embeddings
from plaudit_reward.embedding.spec import EndpointSpec, OpenAISpec, PolicySpec

MAX_DIMENSIONS = 8192
_NUMBER_BYTES = 32
"""Of one number as JSON."""


class EmbeddingsRequest(Contract):
    model: str
    input: list[str]
    encoding_format: str = "float"


class SizedRequest(EmbeddingsRequest):
    dimensions: int


class CutRequest(EmbeddingsRequest):
    """vLLM's extension: what is over the context is cut off its end, and not refused."""

    truncate_prompt_tokens: int = -1
    truncation_side: str = "right"


class _Answer(BaseModel):
    """The parts that are read; endpoints add keys of their own."""

    model_config = ConfigDict(extra="ignore")


class Row(_Answer):
    index: int = Field(ge=0)
    embedding: list[FiniteFloat] = Field(min_length=1, max_length=MAX_DIMENSIONS)


class EmbeddingsAnswer(_Answer):
    data: list[Row]


class WeightInfo(_Answer):
    weight_version: str


class Endpoint(HttpClient):
    service = "embeddings endpoint"
    how_to_reach = "start it, or correct its base_url in [reward.embedders]"

    async def embeddings(self, request: EmbeddingsRequest) -> EmbeddingsAnswer:
        return await self.post("/embeddings", request, EmbeddingsAnswer)

    async def stamp(self) -> str:
        """vLLM's own: what was last said to it of its weights."""
        return (await self.get("/weight_info", WeightInfo)).weight_version


class EndpointEmbedder:
    """Asks for bounded batches, a bounded number of them at once; the client tries again."""

    def __init__(
        self,
        spec: EndpointSpec,
        make_request: Callable[[list[str]], EmbeddingsRequest],
        dimensions: int | None = None,
    ) -> None:
        options = ClientOptions(
            api_key=spec.read_api_key(),
            timeout_s=spec.timeout_s,
            max_connections=spec.max_concurrency,
            max_response_bytes=2**20 + spec.batch_texts * MAX_DIMENSIONS * _NUMBER_BYTES,
        )
        self._client = Endpoint(spec.base_url, options)
        self._spec = spec
        self._make_request = make_request
        self._dimensions = dimensions
        self._places = asyncio.Semaphore(spec.max_concurrency)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        cut = [_cut(text, self._spec.max_text_bytes) for text in texts]
        size = self._spec.batch_texts
        batches = [cut[start : start + size] for start in range(0, len(cut), size)]
        return np.concatenate([await self._ask(batch) for batch in batches])

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _ask(self, texts: list[str]) -> Embeddings:
        request = self._make_request(texts)
        async with self._places:
            answer = await self._client.embeddings(request)
        rows = sorted(answer.data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(len(texts))):
            raise Unavailable(
                f"{self._client.peer} gave {len(rows)} embeddings for {len(texts)} texts, "
                f"or numbered them wrongly."
            )
        for row in rows:
            self._check_dimensions(len(row.embedding))
        return np.array([row.embedding for row in rows], np.float32)

    def _check_dimensions(self, dimensions: int) -> None:
        """The first answer decides where the settings do not."""
        self._dimensions = self._dimensions or dimensions
        if dimensions != self._dimensions:
            raise Unavailable(
                f"{self._client.peer} gave an embedding of {dimensions} dimensions, "
                f"not {self._dimensions}.",
                fix="correct `dimensions`, or restart the workers if it has another model now",
            )


def _cut(text: str, max_bytes: int) -> str:
    return text.encode()[:max_bytes].decode(errors="ignore")


def openai_embedder(spec: OpenAISpec) -> EndpointEmbedder:
    def make_request(texts: list[str]) -> EmbeddingsRequest:
        if spec.dimensions is None:
            return EmbeddingsRequest(model=spec.model, input=texts)
        return SizedRequest(model=spec.model, input=texts, dimensions=spec.dimensions)

    return EndpointEmbedder(spec, make_request, spec.dimensions)


def policy_embedder(spec: PolicySpec) -> EndpointEmbedder:
    return EndpointEmbedder(spec, lambda texts: CutRequest(model=spec.model, input=texts))
