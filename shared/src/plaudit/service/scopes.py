"""What a request asks for, as the scopes of named keys call it."""

import re
from collections.abc import Collection

from fastapi import FastAPI
from fastapi.routing import APIRoute

from plaudit.config.settings import ServiceSettings
from plaudit.errors import ConfigError
from plaudit.service.auth import OPEN_PATHS

UNSCOPED = frozenset({"jobs", "openapi.json", "docs"})
"""A job needs the scope of its verb, which the routes of jobs check."""
_SCOPE = re.compile(r"/(?:api/)?(?:v\d+/)?([^/]*)")


def scope_of(path: str) -> str:
    """`/v1/discriminator/update` -> `discriminator`, `/run_code` -> `run_code`."""
    match = _SCOPE.match(path)
    return match[1] if match else ""


def needed_scope(method: str, path: str, lists: Collection[str]) -> str | None:
    """None for what every key may do; `lists` are what it may GET."""
    name = scope_of(path)
    if name in UNSCOPED or (method == "GET" and name in lists):
        return None
    return name


def check_scopes(app: FastAPI, settings: ServiceSettings) -> None:
    """Once all routes are there. Raises ConfigError for a scope that nothing needs."""
    if not settings.keys:
        return
    known = known_scopes(app)
    for name, key in settings.keys.items():
        for scope in key.scopes or ():
            if scope not in known:
                raise ConfigError(
                    f"keys.{name}.scopes: {app.title} has no {scope[:80]!r}.",
                    fix=f"take some of {', '.join(sorted(known))}; "
                    f"without scopes the key may ask for everything.",
                )


def known_scopes(app: FastAPI) -> set[str]:
    paths = {route.path for route in app.routes if isinstance(route, APIRoute)} - OPEN_PATHS
    job_verbs: frozenset[str] = app.state.job_verbs
    lists: frozenset[str] = app.state.lists
    return {*map(scope_of, paths), *job_verbs} - UNSCOPED - lists
