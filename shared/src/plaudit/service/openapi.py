"""/openapi.json with the schemas of fast routes and the problem document on every operation."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from plaudit.schemas.problem import PROBLEM_JSON, Problem
from plaudit.service.body import component_schema


def use_openapi(app: FastAPI) -> None:
    """Replaces `app.openapi` by one that is computed once, on first use."""
    app.openapi = openapi_of(app)  # type: ignore[method-assign]


def openapi_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build(app)
        return app.openapi_schema

    return openapi


def build(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    hoist_definitions(document["paths"], schemas)
    problem = component_schema(Problem)
    schemas.update(problem.pop("$defs"))
    answer = {"description": "A problem document", "content": {PROBLEM_JSON: {"schema": problem}}}
    for path in document["paths"].values():
        for operation in path.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
            operation["responses"]["default"] = answer
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def hoist_definitions(node: Any, schemas: dict[str, Any]) -> None:
    """Moves every `$defs` below `node` into `schemas`."""
    if isinstance(node, dict):
        for name, schema in node.pop("$defs", {}).items():
            schemas.setdefault(name, schema)
        for value in node.values():
            hoist_definitions(value, schemas)
    elif isinstance(node, list):
        for value in node:
            hoist_definitions(value, schemas)
