"""A judge behind any OpenAI-compatible chat endpoint."""

from dataclasses import replace
from typing import Literal

from pydantic import Field, SecretStr

from plaudit.errors import Conflict, NotFound, Rejected, Unauthorized
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import Ask, KeyedSpec, Reply
from plaudit_judge.judges.chat import ChatEndpoint
from plaudit_judge.judges.line import Line
from plaudit_judge.judges.text_judge import TextJudge
from plaudit_judge.ledger.prices import Price, charged

Structured = Literal["auto", "on", "off"]
_ABOUT_STRUCTURE = ("response_format", "json_schema", "structured", "schema", "guided", "grammar")


class OpenAISpec(KeyedSpec):
    kind: Literal["openai"] = "openai"
    base_url: str
    """Up to before /chat/completions: https://api.openai.com/v1."""
    model: str = Field(min_length=1)
    structured: Structured = "auto"
    """Hold the judge to a JSON schema. auto: until the endpoint says that it offers none."""

    def model_name(self) -> str | None:
        return self.model


class OpenAIJudge(TextJudge):
    def __init__(
        self,
        name: str,
        spec: OpenAISpec,
        api_key: SecretStr | None,
        price: Price | None = None,
        line: Line | None = None,
    ) -> None:
        self.name = name
        self._line = line or Line(name, spec)
        self._timeout_s = spec.timeout_s
        self._model = spec.model
        self._structured = spec.structured
        self.offers_structure = spec.structured != "off"
        self._price = price
        self._endpoint = ChatEndpoint(spec.base_url, api_key, spec.max_concurrency)

    async def ask(self, ask: Ask, timeout_s: float) -> Reply:
        reply = await self._line.ask(timeout_s, lambda: self._attempt(ask), ask.num_tokens())
        return charged(reply, self._price)

    async def _attempt(self, ask: Ask) -> Reply:
        plain = replace(ask, schema=None)
        if ask.schema is None or not self.offers_structure:
            return await self._endpoint.chat(self._model, plain, self._timeout_s)
        try:
            return await self._endpoint.chat(self._model, ask, self._timeout_s)
        except (NotFound, Unauthorized):
            raise
        except Rejected as error:
            if not is_about_structure(error):
                raise
            if self._structured == "on":
                raise no_structure(error) from error
            self.offers_structure = False
            return await self._endpoint.chat(self._model, plain, self._timeout_s)

    async def info(self) -> JudgeInfo:
        """From the settings alone: a listing must not cost a call of a hosted endpoint."""
        return JudgeInfo(name=self.name, kind="openai", model=self._model, available=True)

    async def aclose(self) -> None:
        await self._endpoint.aclose()


def is_about_structure(error: Rejected) -> bool:
    """Whether the endpoint refused the schema, and not the question."""
    text = error.message.lower()
    return any(word in text for word in _ABOUT_STRUCTURE)


def no_structure(error: Rejected) -> Conflict:
    """The operator's mistake: no other attempt mends it."""
    return Conflict(
        "its endpoint refuses structured = 'on' (set 'auto' or 'off' instead): " + error.message
    )
