"""A judge behind any OpenAI-compatible chat endpoint."""

from pydantic import SecretStr

from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import Ask, Reply
from plaudit_judge.judges.chat import ChatEndpoint
from plaudit_judge.judges.retrying import ask_until
from plaudit_judge.settings import JudgeSpec


class OpenAIJudge:
    def __init__(self, name: str, spec: JudgeSpec, api_key: SecretStr | None) -> None:
        self.name = name
        self._timeout_s = spec.timeout_s
        self._model = spec.required_model()
        self._endpoint = ChatEndpoint(spec.required_base_url(), api_key, spec.max_concurrency)

    async def ask(self, ask: Ask, timeout_s: float) -> Reply:
        return await ask_until(
            self.name, timeout_s, lambda: self._endpoint.chat(self._model, ask, self._timeout_s)
        )

    async def info(self) -> JudgeInfo:
        """From the settings alone: a listing must not cost a call of a hosted endpoint."""
        return JudgeInfo(name=self.name, kind="openai", model=self._model, available=True)

    async def aclose(self) -> None:
        await self._endpoint.aclose()
