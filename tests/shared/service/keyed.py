"""An app with named keys, which tell who called them."""

from functools import partial
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from pydantic import SecretStr

from plaudit.config import ServiceSettings
from plaudit.config.keys import NamedKey
from plaudit.service import caller_of, create_app, idempotency_key
from plaudit.telemetry.trace import current_caller

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
send = partial(httpx.request, verify=False)

PLAIN = "plain-key-of-ours"


def key_of(name: str) -> str:
    return f"the-key-of-{name}"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def named_keys(directory: Path, limits: dict[str, dict[str, Any]]) -> dict[str, NamedKey]:
    for name in limits:
        (directory / name).write_text(key_of(name))
    return {
        name: NamedKey(api_key_file=directory / name, **limit) for name, limit in limits.items()
    }


def make_app(directory: Path, limits: dict[str, dict[str, Any]]) -> FastAPI:
    settings = ServiceSettings(api_keys=[SecretStr(PLAIN)], keys=named_keys(directory, limits))
    app = create_app("test", settings, lists=["rewards"])

    @app.post("/v1/score")
    @app.post("/v1/discriminator/update")
    @app.post("/run_code")
    @app.get("/v1/rewards")
    @app.get("/v1/leases")
    async def work(request: Request) -> dict[str, Any]:
        await request.body()
        key = idempotency_key(request)
        return {"caller": caller_of(request), "logged": current_caller(), "key": key}

    return app
