"""The sandbox's HTTP API."""

import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from plaudit.schemas.common import Contract
from plaudit.schemas.sandbox import LanguageInfo, Limits, RunRequest, RunResult
from plaudit.service import create_app, json_docs, json_response, read_model
from plaudit_sandbox.dialects import add_dialect_routes
from plaudit_sandbox.metrics import observe_protections
from plaudit_sandbox.protections import PROTECTIONS, tier
from plaudit_sandbox.runner import Runner
from plaudit_sandbox.settings import SandboxSettings


class Info(Contract):
    """What runs here, and behind which protections."""

    languages: dict[str, str]
    """Language to version."""
    tier: str
    """`strict`, `basic` or `none`."""
    protections: dict[str, bool]
    """Every protection by name, and whether it is in force."""
    min_protection: str
    max_concurrency: int
    max_waiting: int
    default_limits: Limits


def build_app(settings: SandboxSettings) -> FastAPI:
    """The app; its start raises ConfigError when `min_protection` cannot be met."""
    runner = Runner(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with runner:
            observe_protections(runner.protections)
            yield

    app = create_app("sandbox", settings, lifespan=lifespan, checks={"launcher": runner.check})

    @app.post("/v1/run", summary="Run a program", **json_docs(RunRequest, RunResult))
    async def run(request: Request) -> Response:
        return json_response(await runner.run(await read_model(request, RunRequest)))

    @app.get("/v1/info", summary="Languages and active protections")
    async def info() -> Info:
        active = runner.protections
        return Info(
            languages={"python": platform.python_version()},
            tier=tier(active),
            protections={name: name in active for name in PROTECTIONS},
            min_protection=settings.min_protection,
            max_concurrency=settings.max_concurrency,
            max_waiting=settings.max_waiting,
            default_limits=Limits(),
        )

    python = LanguageInfo(available=True, version=platform.python_version())
    add_dialect_routes(app, runner, settings, lambda: {"python": python})
    return app
