"""A hub with one data set, for the requests of `datasets` 5.2 (huggingface.co/docs/hub/api)."""

import hashlib
import json

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from plaudit.config.settings import ServiceSettings
from plaudit.service import create_app

NAME = "owner/sums"
COMMIT = "a" * 40
ROWS = [{"question": f"{i}+1?", "answer": f"#### {i + 1}"} for i in range(4)]
FILES = {
    "train.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "test.jsonl": (json.dumps(ROWS[0]) + "\n").encode(),
}


def hub() -> FastAPI:
    app = create_app("hub", ServiceSettings(drain_timeout_s=0.1))

    @app.get("/api/datasets/owner/sums")
    @app.get("/api/datasets/owner/sums/revision/{revision}")
    async def about(revision: str = "main") -> Response:
        if revision not in ("main", "v1", COMMIT):
            return nothing("RevisionNotFound")
        files = [{"rfilename": name} for name in FILES]
        return JSONResponse({"id": NAME, "sha": COMMIT, "private": False, "siblings": files})

    @app.get("/api/datasets/owner/sums/tree/{revision}")
    async def tree(revision: str) -> Response:
        return JSONResponse(
            [
                {"type": "file", "path": name, "size": len(data), "oid": etag(data)}
                for name, data in FILES.items()
            ]
        )

    @app.get("/api/datasets/owner/sums/tree/{revision}/{folder}")
    async def folder(revision: str, folder: str) -> Response:
        return nothing("EntryNotFound")

    @app.api_route("/datasets/owner/sums/resolve/{revision}/{name}", methods=["GET", "HEAD"])
    async def file(revision: str, name: str, request: Request) -> Response:
        if name not in FILES:
            return nothing("EntryNotFound")
        data = FILES[name]
        headers = {
            "ETag": f'"{etag(data)}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(data)),
        }  # fmt: skip
        return Response(b"" if request.method == "HEAD" else data, headers=headers)

    return app


def nothing(code: str) -> Response:
    return JSONResponse({"error": code}, 404, headers={"X-Error-Code": code})


def etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
