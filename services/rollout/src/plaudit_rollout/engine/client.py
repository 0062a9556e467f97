"""What the worker asks of vLLM over HTTP."""

from typing import Any, Literal, TypeVar

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import FinishReason, Message
from plaudit.schemas.rollout import Sampling
from plaudit.telemetry import escape_control
from plaudit_rollout.engine.entropy import NUM_LIKELIEST, entropy_of

_QUICK_S = 10.0
_CONNECT_S = 5.0
_MAX_ERROR_CHARS = 500
MAX_ANSWER_BYTES = 256 * 2**20
"""With entropies, a token takes about 700 bytes."""
_DEV_MODE = "start it by `plaudit-rollout engine`, or with VLLM_SERVER_DEV_MODE=1"
_LORA = "start the engine with PLAUDIT_ROLLOUT_MAX_LORA_RANK = the adapter's rank, or more"

M = TypeVar("M", bound=BaseModel)


class EngineLost(Unavailable):
    """The engine is away, broke off, or was silent for too long."""


class EngineAway(EngineLost):
    """It could not be connected to: it did nothing with the request."""


class EngineFailed(Unavailable):
    """The engine answers, and this call failed inside it."""


class _Answer(BaseModel):
    """Only what is used; vLLM adds fields from release to release."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Tokenized(_Answer):
    tokens: list[int]
    max_model_len: int


class _Logprobs(_Answer):
    token_logprobs: list[float]
    top_logprobs: list[dict[str, FiniteFloat]] = []

    def entropies(self) -> list[float]:
        return [entropy_of(likeliest.values()) for likeliest in self.top_logprobs]


class Choice(_Answer):
    """`token_ids` and `logprobs.token_logprobs` have the same length."""

    index: int
    text: str
    token_ids: list[int]
    logprobs: _Logprobs
    finish_reason: FinishReason


class _Completions(_Answer):
    choices: list[Choice]


class _PromptLogprob(_Answer):
    logprob: float


class _Probed(_Answer):
    index: int
    prompt_logprobs: list[dict[int, _PromptLogprob] | None] = Field(min_length=1)


class _ProbedAll(_Answer):
    choices: list[_Probed]


class _Embedding(_Answer):
    index: int
    embedding: list[FiniteFloat]


class _Embeddings(_Answer):
    data: list[_Embedding]


class _WeightInfo(_Answer):
    weight_version: str


class EngineClient:
    """Every call raises EngineLost, or Rejected (4xx) or EngineFailed (5xx) with vLLM's reason."""

    def __init__(self, url: str, generate_timeout_s: float, load_timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._generate_timeout_s = generate_timeout_s
        self._load_timeout_s = load_timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def aclose(self) -> None:
        await self._session.close()

    async def tokenize(self, messages: list[Message]) -> Tokenized:
        body = {
            "messages": [message.model_dump() for message in messages],
            "add_generation_prompt": True,
        }
        return _parse(Tokenized, await self._post("/tokenize", body, _QUICK_S))

    async def generate(
        self,
        prompt_token_ids: list[int],
        n: int,
        sampling: Sampling,
        cache_salt: str,
        adapter: str | None = None,
    ) -> list[Choice]:
        """`cache_salt` keeps what was computed under other weights out of the prefix cache."""
        body = _of_adapter(adapter) | {
            "prompt": prompt_token_ids,
            "n": n,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "seed": sampling.seed,
            "logprobs": NUM_LIKELIEST if sampling.entropies else 0,
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
            "cache_salt": cache_salt,
        }
        raw = await self._post("/v1/completions", body, self._generate_timeout_s)
        choices = sorted(_parse(_Completions, raw).choices, key=lambda choice: choice.index)
        for choice in choices:
            if len(choice.token_ids) != len(choice.logprobs.token_logprobs):
                raise EngineFailed("vLLM returned token ids and logprobs of different lengths.")
            if sampling.entropies and len(choice.token_ids) != len(choice.logprobs.top_logprobs):
                raise EngineFailed("vLLM left out the likeliest tokens, which entropies need.")
        if len(choices) != n:
            raise EngineFailed(f"vLLM returned {len(choices)} completions, not {n}.")
        return choices

    async def prompt_logprobs(
        self, sequences: list[list[int]], cache_salt: str, adapter: str | None = None
    ) -> list[list[float]]:
        """For each sequence, the log-probability of every token but the first (temperature 1)."""
        body = _of_adapter(adapter) | {
            "prompt": sequences,
            "max_tokens": 1,
            "temperature": 1.0,
            "prompt_logprobs": 0,
            "cache_salt": cache_salt,
        }
        raw = await self._post("/v1/completions", body, self._load_timeout_s)
        choices = sorted(_parse(_ProbedAll, raw).choices, key=lambda choice: choice.index)
        if len(choices) != len(sequences):
            raise EngineFailed(f"vLLM scored {len(choices)} sequences, not {len(sequences)}.")
        return [
            _of_tokens(choice.prompt_logprobs[1:], token_ids[1:])
            for choice, token_ids in zip(choices, sequences, strict=True)
        ]

    async def mean_hidden_states(self, sequences: list[list[int]]) -> list[list[float]]:
        """For each sequence, the mean of its last hidden states; of an engine that pools."""
        body = {"input": sequences, "encoding_format": "float", "use_activation": False}
        raw = await self._post("/v1/embeddings", body, self._load_timeout_s)
        rows = sorted(_parse(_Embeddings, raw).data, key=lambda row: row.index)
        if len(rows) != len(sequences) or len({len(row.embedding) for row in rows}) > 1:
            raise EngineFailed(f"vLLM embedded {len(rows)} sequences, not {len(sequences)}.")
        return [row.embedding for row in rows]

    async def pause(self, *, clear_cache: bool) -> None:
        """Requests in flight freeze, new ones wait.

        `clear_cache` forgets what was computed of every prompt and of the requests in flight
        (vLLM 0.32 calls it ignored in this mode, and does it): it is computed anew afterwards.
        """
        clear = "true" if clear_cache else "false"
        await self._post(f"/pause?mode=keep&clear_cache={clear}", None, self._load_timeout_s)

    async def resume(self) -> None:
        await self._post("/resume", None, self._load_timeout_s)

    async def reload_weights(self, directory: str) -> None:
        body = {"method": "reload_weights", "kwargs": {"weights_path": directory}}
        await self._post("/collective_rpc", body, self._load_timeout_s)

    async def load_adapter(self, name: str, directory: str) -> None:
        """Beside the others, under a name that was never used: requests find it by that."""
        body = {"lora_name": name, "lora_path": directory}
        try:
            await self._post("/v1/load_lora_adapter", body, self._load_timeout_s)
        except Rejected as error:
            raise Rejected(error.message, fix=_LORA) from error

    async def unload_adapter(self, name: str) -> None:
        """New requests no longer find it; those in flight go on with it."""
        await self._post("/v1/unload_lora_adapter", {"lora_name": name}, self._load_timeout_s)

    async def abort_all(self) -> None:
        """Ends all requests in flight, those of other clients too; they get what there is."""
        await self._post("/abort_requests", {}, self._load_timeout_s)

    async def stamp(self, text: str) -> None:
        """A note that the engine keeps until it restarts."""
        await self._post("/update_weight_version", {"new_version": text}, self._load_timeout_s)

    async def check_health(self) -> None:
        """Raises EngineFailed when the engine core is dead: its server may hang on, answering."""
        await self._call("GET", "/health", None, _QUICK_S)

    async def read_stamp(self) -> str:
        """The last stamp; an engine that was not stamped says "default"."""
        raw = await self._call("GET", "/weight_info", None, _QUICK_S)
        return _parse(_WeightInfo, raw).weight_version

    async def _post(self, path: str, body: dict[str, Any] | None, timeout_s: float) -> bytes:
        return await self._call("POST", path, body, timeout_s)

    async def _call(
        self,
        method: Literal["GET", "POST"],
        path: str,
        body: dict[str, Any] | None,
        timeout_s: float,
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S)
        try:
            async with self._session.request(
                method, self._url + path, json=body, timeout=timeout
            ) as response:
                raw = await _read(response, path)
        except TimeoutError as error:
            raise EngineLost(f"vLLM did not answer {path} within {timeout_s:g} s.") from error
        except aiohttp.ClientConnectorError as error:
            raise EngineAway(f"vLLM at {self._url} cannot be connected to.") from error
        except aiohttp.ClientError as error:
            raise EngineLost(f"vLLM does not answer {path}: {type(error).__name__}.") from error
        if response.status >= 500:
            raise EngineFailed(f"vLLM failed in {path} ({response.status}): {_reason(raw)}")
        if response.status >= 400:
            fix = _DEV_MODE if response.status == 404 else None
            raise Rejected(f"vLLM refused {path} ({response.status}): {_reason(raw)}", fix=fix)
        return raw


def _of_adapter(name: str | None) -> dict[str, Any]:
    """Without a name, requests are for the weights beneath all adapters."""
    return {} if name is None else {"model": name}


async def _read(response: aiohttp.ClientResponse, path: str) -> bytes:
    chunks: list[bytes] = []
    num_bytes = 0
    async for chunk in response.content.iter_any():
        num_bytes += len(chunk)
        if num_bytes > MAX_ANSWER_BYTES:
            raise EngineFailed(f"vLLM answered {path} with more than {MAX_ANSWER_BYTES} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _parse(model: type[M], raw: bytes) -> M:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EngineFailed(f"vLLM's answer is not understood: {where}: {first['msg']}") from None


def _of_tokens(found: list[dict[int, _PromptLogprob] | None], token_ids: list[int]) -> list[float]:
    if len(found) != len(token_ids) or any(
        one is None or token not in one for one, token in zip(found, token_ids, strict=True)
    ):
        raise EngineFailed("vLLM left out log-probabilities of a prompt.")
    return [one[token].logprob for one, token in zip(found, token_ids, strict=True) if one]


def _reason(raw: bytes) -> str:
    return escape_control(raw[:_MAX_ERROR_CHARS].decode(errors="replace"))
