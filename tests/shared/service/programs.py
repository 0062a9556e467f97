"""Small services that the tests run as processes of their own: `python programs.py NAME`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from plaudit.config import ServiceSettings, load_settings
from plaudit.errors import ConfigError
from plaudit.service import create_app, guard, run_worker, serve


@asynccontextmanager
async def telling(app: FastAPI) -> AsyncIterator[None]:
    print("opened", flush=True)
    yield
    print("closed", flush=True)


@asynccontextmanager
async def broken(app: FastAPI) -> AsyncIterator[None]:
    raise ConfigError("model = 'nowhere': no such directory.", fix="name a model.")
    yield


def api(settings: ServiceSettings) -> None:
    app = create_app("test", settings, lifespan=telling)

    @app.post("/sleep/{seconds}")
    async def sleep(seconds: float) -> str:
        print("sleeping", flush=True)
        await asyncio.sleep(seconds)
        return "slept"

    serve(app, settings)


def broken_api(settings: ServiceSettings) -> None:
    serve(create_app("test", settings, lifespan=broken), settings)


def worker(settings: ServiceSettings) -> None:
    async def main(stop: asyncio.Event) -> None:
        print("working", flush=True)
        await stop.wait()
        await asyncio.sleep(0.2)
        print("handed back", flush=True)

    run_worker(settings, "test", main)


def stuck_worker(settings: ServiceSettings) -> None:
    async def main(stop: asyncio.Event) -> None:
        print("working", flush=True)
        await asyncio.sleep(600)

    run_worker(settings, "test", main)


def failing_worker(settings: ServiceSettings) -> None:
    async def main(stop: asyncio.Event) -> None:
        raise ConfigError("pool = 'x': there is no such pool.", fix="take one of rules, code.")

    run_worker(settings, "test", main)


def finished_worker(settings: ServiceSettings) -> None:
    async def main(stop: asyncio.Event) -> None:
        return

    run_worker(settings, "test", main)


if __name__ == "__main__":
    with guard():
        globals()[sys.argv[1]](load_settings(ServiceSettings, service="test"))
