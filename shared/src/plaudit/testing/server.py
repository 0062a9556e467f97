"""An app on a real uvicorn socket, in a thread of the test's process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from fastapi import FastAPI

from plaudit.config.settings import ServiceSettings
from plaudit.errors import Stalled
from plaudit.service.server import Server, bind_socket

START_TIMEOUT_S = 10.0


class AppThread:
    def __init__(self, app: FastAPI, settings: ServiceSettings) -> None:
        self.app = app
        self.settings = settings
        self.url = ""
        self.error: BaseException | None = None
        self._ready = threading.Event()
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="plaudit-app", daemon=True)

    def start(self) -> None:
        """Returns when the app answers. Raises what its start raised."""
        self._thread.start()
        started = self._ready.wait(START_TIMEOUT_S)
        if self.error is not None:
            raise self.error
        if not started:
            raise Stalled(f"{self.app.title} did not start within {START_TIMEOUT_S:g} s")

    def stop(self) -> None:
        """Drains as on SIGTERM."""
        if self._loop is not None and self._server is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(self.settings.drain_timeout_s + START_TIMEOUT_S)

    def _run(self) -> None:
        try:
            with bind_socket(self.settings.host, self.settings.port, "port") as listener:
                host, port = listener.getsockname()[:2]
                self.url = f"http://{host}:{port}"
                self._server = Server(self.app, self.settings, on_started=self._ready.set)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    self._loop = runner.get_loop()
                    runner.run(self._server.serve_on(listener))
        except BaseException as error:  # why: the test's thread must see whatever ended this one.
            self.error = error
        finally:
            self._ready.set()


@contextmanager
def running(app: FastAPI, settings: ServiceSettings | None = None) -> Iterator[str]:
    """`with running(app) as url:`; without settings, those given to `create_app`."""
    thread = AppThread(app, settings or app.state.settings)
    thread.start()
    try:
        yield thread.url
    finally:
        thread.stop()
