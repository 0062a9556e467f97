"""Calls to the sandbox service."""

from typing import Any

from pydantic import RootModel

from plaudit.client.http import HttpClient
from plaudit.client.sync import SyncFace, blocking
from plaudit.schemas.sandbox import LanguageList, RunRequest, RunResult


class SandboxInfo(RootModel[dict[str, Any]]):
    """Which protections are active, and the bounds."""


class SandboxClient(HttpClient):
    service = "sandbox"

    async def run(
        self,
        request: RunRequest,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> RunResult:
        return await self.post(
            "/v1/run", request, RunResult, idempotency_key=idempotency_key, timeout_s=timeout_s
        )

    async def languages(self) -> LanguageList:
        """Which work there; the first to ask waits until each has compiled and run a program."""
        return await self.get("/v1/languages", LanguageList)

    async def info(self) -> dict[str, Any]:
        return (await self.get("/v1/info", SandboxInfo)).root

    def sync(self) -> "SyncSandboxClient":
        return SyncSandboxClient(self)


class SyncSandboxClient(SyncFace[SandboxClient]):
    info = blocking(SandboxClient.info)
    languages = blocking(SandboxClient.languages)
    run = blocking(SandboxClient.run)
