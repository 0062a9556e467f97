"""Every service's FastAPI app, built the same way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI

import plaudit
from plaudit.config.keys import read_keys
from plaudit.config.settings import ServiceSettings
from plaudit.service.auth import BearerAuth
from plaudit.service.gate import Gate
from plaudit.service.health import Check, MoreMetrics, Readiness, add_health_routes
from plaudit.service.middleware import Chassis
from plaudit.service.openapi import use_openapi
from plaudit.service.problems import add_problem_handlers

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def create_app(
    name: str,
    settings: ServiceSettings,
    lifespan: Lifespan | None = None,
    checks: Mapping[str, Check] | None = None,
    more_metrics: MoreMetrics | None = None,
    lists: Collection[str] = (),
) -> FastAPI:
    """An app with health, metrics, auth, limits and problem documents; add routes to it.

    `lifespan(app)` opens what the handlers need and puts it on `app.state`; what it yields is not
    used. `app.state.draining` is an Event, set when the server begins to shut down.
    `more_metrics` is what /metrics shows beside the process's own metrics, e.g. its queues.
    `lists` are what every named key may GET, whatever its scopes: `models` is GET /v1/models.

    Raises:
        ConfigError: the key of a named key is missing.
    """
    draining = asyncio.Event()
    app = FastAPI(
        title=f"plaudit-{name}",
        version=plaudit.__version__,
        lifespan=lifespan or nothing_to_open,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        separate_input_output_schemas=False,
    )
    app.state.draining = draining
    app.state.settings = settings
    app.state.lists = frozenset(lists)
    app.state.job_verbs = frozenset()
    app.add_middleware(
        Chassis,
        name=name,
        auth=BearerAuth(settings.api_keys, read_keys(settings.keys, settings.api_keys)),
        gates={key: Gate(name, key, limits, lists) for key, limits in settings.keys.items()},
        loopback_only=settings.is_loopback() and not is_open(settings),
        max_body_bytes=settings.max_body_bytes,
        body_timeout_s=settings.body_timeout_s,
        max_concurrent_requests=settings.max_concurrent_requests,
        draining=draining,
    )
    add_problem_handlers(app)
    add_health_routes(app, Readiness(checks or {}, draining), more_metrics)
    use_openapi(app)
    return app


def is_open(settings: ServiceSettings) -> bool:
    """Keys protect the service, or somebody chose that nothing does."""
    return settings.has_keys() or settings.allow_unauthenticated


@asynccontextmanager
async def nothing_to_open(app: FastAPI) -> AsyncIterator[None]:
    yield
