"""Running a queue worker's process: signals, health port, bounded drain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import uvloop

from plaudit.config.settings import ServiceSettings
from plaudit.errors import Stalled
from plaudit.service.app import create_app
from plaudit.service.collection import exempt_from_collection
from plaudit.service.health import Check
from plaudit.service.server import Server, bind_socket
from plaudit.service.signals import stop_on_signals
from plaudit.telemetry.logging import get_logger, setup_logging
from plaudit.telemetry.spans import export_spans

HAND_BACK_S = 3.0
"""After drain_timeout_s, the time left for handing unfinished work back."""

Main = Callable[[asyncio.Event], Awaitable[None]]

log = get_logger(__name__)


def run_worker(
    settings: ServiceSettings, name: str, main: Main, checks: Mapping[str, Check] | None = None
) -> None:
    """Runs `main(stop)` until it returns; SIGTERM and SIGINT set `stop`.

    `main` must then finish within drain_timeout_s plus 3 s, or it is cancelled.

    Raises:
        Stalled: it had to be cancelled.
        PlauditError: whatever `main` raises.
    """
    setup_logging(f"plaudit-{name}", settings.log_level, settings.log_format)
    export_spans(f"plaudit-{name}", settings.otlp_endpoint)
    exempt_from_collection()
    uvloop.run(run_until_signal(settings, name, main, checks or {}))


async def run_until_signal(
    settings: ServiceSettings, name: str, main: Main, checks: Mapping[str, Check]
) -> None:
    stop = asyncio.Event()
    async with health_server(settings, name, checks, stop):
        with stop_on_signals(stop.set):
            log.info("working")
            await drain(main, stop, settings.drain_timeout_s + HAND_BACK_S)
    log.info("stopped")


async def drain(main: Main, stop: asyncio.Event, timeout_s: float) -> None:
    """Waits for `main`, for ever before `stop` is set and for `timeout_s` after."""
    work = asyncio.ensure_future(main(stop))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            await asyncio.wait((work,), timeout=timeout_s)
        if not work.done():
            raise Stalled(
                f"The worker had not stopped {timeout_s:g} s after it was asked to.",
                fix="its leases lapse and the work runs elsewhere; raise drain_timeout_s.",
            )
        work.result()
    finally:
        stopped.cancel()
        work.cancel()
        await asyncio.wait((work,), timeout=1.0)


@asynccontextmanager
async def health_server(
    settings: ServiceSettings, name: str, checks: Mapping[str, Check], stop: asyncio.Event
) -> AsyncIterator[None]:
    """/livez, /readyz and /metrics on worker_port; nothing else, so it needs no key."""
    if not settings.worker_port:
        yield
        return
    keyless = settings.model_copy(update={"keys": {}})
    app = create_app(name, keyless, checks=checks)
    app.state.draining = stop
    with bind_socket(settings.host, settings.worker_port, "worker_port") as listener:
        server = Server(app, settings.model_copy(update={"drain_timeout_s": 1.0}))
        serving = asyncio.create_task(server.serve_on(listener))
        try:
            yield
        finally:
            server.stop()
            await serving
