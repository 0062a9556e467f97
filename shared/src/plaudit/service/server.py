"""Serving an app: bind first, drain on SIGTERM, exit 0."""

import asyncio
import errno
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
import uvloop
from fastapi import FastAPI

from plaudit.config.settings import ServiceSettings
from plaudit.errors import ConfigError
from plaudit.service.collection import exempt_from_collection
from plaudit.service.protocol import BoundedHttpProtocol
from plaudit.service.scopes import check_scopes
from plaudit.service.signals import stop_on_signals
from plaudit.telemetry.logging import get_logger, setup_logging
from plaudit.telemetry.spans import export_spans

KEEP_ALIVE_S = 75
"""Longer than clients keep idle connections, so that they close first and meet no reset."""
CANCEL_GRACE_S = 1.0
BACKLOG = 2048

log = get_logger(__name__)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Runs until SIGTERM or SIGINT, then answers what is in progress and returns.

    Raises:
        ConfigError: the port is in use, or the host is exposed without api_keys.
        PlauditError: whatever the app's lifespan raises.
    """
    setup_logging(app.title, settings.log_level, settings.log_format)
    export_spans(app.title, settings.otlp_endpoint)
    settings.check_exposure()
    with bind_socket(settings.host, settings.port, "port") as listener:
        exempt_from_collection()
        uvloop.run(serve_until_signal(app, settings, listener))


async def serve_until_signal(
    app: FastAPI, settings: ServiceSettings, listener: socket.socket
) -> None:
    server = Server(app, settings)
    with stop_on_signals(server.stop):
        await server.serve_on(listener)


class Server(uvicorn.Server):
    """uvicorn without its own signal handling; the app's lifespan runs around it.

    A lifespan that raises is thus an ordinary exception, not a log line and exit code 3.
    """

    def __init__(
        self,
        app: FastAPI,
        settings: ServiceSettings,
        on_started: Callable[[], None] | None = None,
    ) -> None:
        self.fastapi = app
        self.settings = settings
        self.on_started = on_started
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedHttpProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(settings.drain_timeout_s),
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.on_started is not None:
            self.on_started()

    def stop(self) -> None:
        """Stops accepting; requests in progress may finish within drain_timeout_s."""
        self.fastapi.state.draining.set()
        self.should_exit = True

    async def serve_on(self, listener: socket.socket) -> None:
        """From opening the lifespan to closing it; returns when `stop` was called.

        Raises:
            ConfigError: a named key has a scope that nothing in the app needs.
        """
        check_scopes(self.fastapi, self.settings)
        host, port = listener.getsockname()[:2]
        async with self.fastapi.router.lifespan_context(self.fastapi):
            log.info("serving", url=f"http://{host}:{port}")
            await self.serve(sockets=[listener])
            await self.let_cancelled_answer()
        log.info("stopped")

    async def let_cancelled_answer(self) -> None:
        """Requests cancelled at the drain timeout still send their 503."""
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=CANCEL_GRACE_S)


@contextmanager
def bind_socket(host: str, port: int, setting: str) -> Iterator[socket.socket]:
    """A bound socket that does not listen yet; `setting` is named when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, UnicodeError) as error:
            raise cannot_bind(host, port, setting, error) from None
        listener.set_inheritable(False)
        yield listener
    finally:
        listener.close()


def cannot_bind(host: str, port: int, setting: str, error: OSError | UnicodeError) -> ConfigError:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return ConfigError(
            f"{setting} = {port}: {host}:{port} is in use by another process.",
            fix=f"stop that process (`ss -ltnp 'sport = :{port}'` names it) "
            f"or set {setting} to a free port.",
        )
    if code == errno.EACCES:
        return ConfigError(
            f"{setting} = {port}: this user may not bind it.", fix="take a port above 1023."
        )
    return ConfigError(
        f"host = {host!r}: cannot be bound ({error}).", fix="use an address of this machine."
    )
