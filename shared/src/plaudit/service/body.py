"""The fast path of hot routes: bytes in, one pydantic pass, bytes out."""

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from plaudit.errors import Rejected
from plaudit.service.caller import caller_of
from plaudit.service.problems import invalid_request

MAX_IDEMPOTENCY_KEY_CHARS = 256

M = TypeVar("M", bound=BaseModel)


class UnsupportedMediaType(Rejected):
    status = 415


async def read_model(request: Request, model: type[M]) -> M:
    """The body as `model`; answers 415 and 422 as FastAPI's own parsing would, in one pass.

    Raises:
        Rejected: not JSON by its Content-Type (which also keeps web pages' plain forms out).
        InvalidRequest: names every wrong field.
    """
    kind = request.headers.get("content-type", "")
    if not is_json(kind):
        raise UnsupportedMediaType(
            f"Content-Type {kind[:80]!r} is not JSON.", fix="send `Content-Type: application/json`."
        )
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_request(error) from None


def is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("application/") and kind.endswith(("/json", "+json"))


def json_response(model: BaseModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


def json_docs(
    request: type[BaseModel] | None = None, response: type[BaseModel] | None = None
) -> dict[str, Any]:
    """Arguments for `@app.post(path, **json_docs(A, B))`: both schemas appear in /openapi.json."""
    arguments: dict[str, Any] = {"response_model": None}
    if request is not None:
        content = {"application/json": {"schema": component_schema(request)}}
        arguments["openapi_extra"] = {"requestBody": {"required": True, "content": content}}
    if response is not None:
        arguments["responses"] = {200: {"model": response}}
    return arguments


def component_schema(model: type[BaseModel]) -> dict[str, Any]:
    """`$defs` inside are moved to components/schemas by `plaudit.service.openapi`."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    definitions[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}", "$defs": definitions}


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key; that of a named key is told from everybody else's.

    Raises:
        Rejected: longer than 256 characters, or not printable ASCII.
    """
    key, caller = checked_key(request.headers), caller_of(request)
    return key if key is None or caller is None else f"{caller}@{key}"


def checked_key(headers: Mapping[str, str]) -> str | None:
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY_CHARS or not (key.isascii() and key.isprintable()):
        raise Rejected(
            f"Idempotency-Key: must be 1 to {MAX_IDEMPOTENCY_KEY_CHARS} printable ASCII characters."
        )
    return key
