"""The sandbox's HTTP API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from plaudit.schemas.common import Contract
from plaudit.schemas.sandbox import CompileLimits, LanguageList, Limits, RunRequest, RunResult
from plaudit.service import (
    Check,
    caller_deadline_s,
    create_app,
    json_docs,
    json_response,
    read_model,
)
from plaudit_sandbox.dialects import add_dialect_routes
from plaudit_sandbox.metrics import observe_protections
from plaudit_sandbox.protections import PROTECTIONS, tier
from plaudit_sandbox.runner import MAX_CALL_S, Runner
from plaudit_sandbox.settings import SandboxSettings

_LISTS = ("info", "languages", "ping", "runtimes")


class Info(Contract):
    """What protects from programs, and their bounds."""

    tier: str
    """`strict`, `basic` or `none`."""
    protections: dict[str, bool]
    """Every protection by name, and whether it is in force."""
    min_isolation: str
    max_concurrency: int
    max_waiting: int
    max_cases: int
    default_limits: Limits
    default_compile_limits: CompileLimits


def build_app(settings: SandboxSettings) -> FastAPI:
    """The app; its start raises ConfigError when `min_isolation` cannot be met."""
    runner = Runner(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with runner:
            observe_protections(runner.protections)
            yield

    async def isolation() -> str:
        return tier(runner.protections)

    checks: dict[str, Check] = {"launcher": runner.check, "isolation": isolation}
    app = create_app("sandbox", settings, lifespan=lifespan, checks=checks, lists=_LISTS)

    @app.post("/v1/run", summary="Compile and run a program", **json_docs(RunRequest, RunResult))
    async def run(request: Request) -> Response:
        deadline_s = caller_deadline_s(request, MAX_CALL_S, MAX_CALL_S)
        return json_response(await runner.run(await read_model(request, RunRequest), deadline_s))

    @app.get("/v1/languages", summary="Languages that work here, and the isolation in force")
    async def languages() -> LanguageList:
        return LanguageList(
            languages=await runner.languages(),
            tier=tier(runner.protections),
            protections={name: name in runner.protections for name in PROTECTIONS},
        )

    @app.get("/v1/info", summary="Active protections and bounds")
    async def info() -> Info:
        active = runner.protections
        return Info(
            tier=tier(active),
            protections={name: name in active for name in PROTECTIONS},
            min_isolation=settings.min_isolation,
            max_concurrency=settings.max_concurrency,
            max_waiting=settings.max_waiting,
            max_cases=settings.max_cases,
            default_limits=Limits(),
            default_compile_limits=CompileLimits(),
        )

    add_dialect_routes(app, runner, settings, runner.languages)
    return app
