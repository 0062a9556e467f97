"""Piston's wire format: `POST /api/v2/execute` and `GET /api/v2/runtimes`.

Source: https://github.com/engineer-man/piston (docs/api-v2.md, api/src/api/v2.js, api/src/job.js).
What differs: `output` is standard output followed by standard error, since the order in which a
program wrote to the two is not kept; a full queue is answered 429, where Piston waits without end.
"""

import math
from enum import Enum

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from plaudit.errors import PlauditError, Rejected, Unavailable
from plaudit.service import json_docs
from plaudit_sandbox.dialects.patience import Patience
from plaudit_sandbox.dialects.piston_response import response_of
from plaudit_sandbox.dialects.piston_runtimes import Languages, find, served_here
from plaudit_sandbox.dialects.piston_wire import (
    ExecuteRequest,
    ExecuteResponse,
    Failure,
    Runtimes,
)


def add_piston_routes(app: FastAPI, patience: Patience, languages: Languages) -> None:
    docs = json_docs(ExecuteRequest, ExecuteResponse)
    docs["responses"] |= {code: {"model": Failure} for code in (400, 415, 429, 503)}
    tags: list[str | Enum] = ["Piston"]

    @app.post("/api/v2/execute", tags=tags, summary="Run a program (Piston)", **docs)
    async def execute(request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return _failure(415, "requests must be of type application/json")
        try:
            asked = ExecuteRequest.model_validate_json(await request.body())
            served = find(served_here(await languages()), asked)
            result = await served.execute(asked, patience.run)
        except ValidationError as error:
            return _failure(400, _first_problem(error))
        except Rejected as error:
            return _failure(400, str(error))
        except Unavailable as error:
            return _failure(error.status, str(error), error)
        response = response_of(result, served.runtime)
        body = response.model_dump_json(exclude=None if response.compile else {"compile"})
        return Response(body, media_type="application/json")

    @app.get("/api/v2/runtimes", tags=tags, summary="Languages (Piston)")
    async def runtimes() -> Runtimes:
        return Runtimes([one.runtime for one in served_here(await languages())])


def _failure(status: int, message: str, error: PlauditError | None = None) -> Response:
    wait_s = error.retry_after_s if isinstance(error, Unavailable) else None
    headers = {"retry-after": str(math.ceil(wait_s))} if wait_s else None
    return JSONResponse({"message": message}, status_code=status, headers=headers)


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"[:500]
