"""A hub with the models and data sets that a test gives it, each a few files.

It answers what transformers 5 and datasets 5 ask (huggingface.co/docs/hub/api).
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from plaudit.config.settings import ServiceSettings
from plaudit.service import create_app

COMMIT = "a" * 40
REVISIONS = ("main", "v1", COMMIT)
Files = Mapping[str, bytes]
_READ = ["GET", "HEAD"]


def parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), buffer)
    return buffer.getvalue()


def model_files(directory: Path) -> Files:
    """Without weights, which nothing asks for before a run starts."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def hub(models: Mapping[str, Files], datasets: Mapping[str, Files]) -> FastAPI:
    app = create_app("hub", ServiceSettings(drain_timeout_s=0.1))
    kinds = {"models": models, "datasets": datasets}

    @app.get("/api/{kind}/{owner}/{name}")
    @app.get("/api/{kind}/{owner}/{name}/revision/{revision}")
    async def about(kind: str, owner: str, name: str, revision: str = "main") -> Response:
        files = kinds[kind].get(f"{owner}/{name}")
        if files is None or revision not in REVISIONS:
            return _nothing("RepoNotFound" if files is None else "RevisionNotFound")
        siblings = [{"rfilename": path} for path in files]
        about = {"id": f"{owner}/{name}", "sha": COMMIT, "private": False, "siblings": siblings}
        return JSONResponse(about)

    @app.get("/api/{kind}/{owner}/{name}/tree/{revision}")
    @app.get("/api/{kind}/{owner}/{name}/tree/{revision}/{folder:path}")
    async def tree(
        kind: str, owner: str, name: str, revision: str, folder: str = "", recursive: bool = False
    ) -> Response:
        entries = _entries(kinds[kind].get(f"{owner}/{name}", {}), folder, recursive)
        return JSONResponse(entries) if entries else _nothing("EntryNotFound")

    @app.api_route("/datasets/{owner}/{name}/resolve/{revision}/{path:path}", methods=_READ)
    async def data_file(owner: str, name: str, path: str, request: Request) -> Response:
        return _file(datasets.get(f"{owner}/{name}", {}), path, request)

    @app.api_route("/{owner}/{name}/resolve/{revision}/{path:path}", methods=_READ)
    async def model_file(owner: str, name: str, path: str, request: Request) -> Response:
        return _file(models.get(f"{owner}/{name}", {}), path, request)

    return app


def _entries(files: Files, folder: str, recursive: bool) -> list[dict[str, Any]]:
    """Files in the folder; folders, too, where what is in them is not listed itself."""
    prefix = f"{folder}/" if folder else ""
    inside = {path: data for path, data in files.items() if path.startswith(prefix)}
    direct = [path for path in inside if recursive or "/" not in path.removeprefix(prefix)]
    deeper = {prefix + path.removeprefix(prefix).split("/")[0] for path in {*inside} - {*direct}}
    found = [{"type": "directory", "path": path, "size": 0, "oid": COMMIT} for path in deeper]
    return found + [
        {"type": "file", "path": path, "size": len(files[path]), "oid": _etag(files[path])}
        for path in direct
    ]


def _file(files: Files, path: str, request: Request) -> Response:
    if path not in files:
        return _nothing("EntryNotFound")
    data = files[path]
    headers = {
        "ETag": f'"{_etag(data)}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(data)),
    }  # fmt: skip
    return Response(b"" if request.method == "HEAD" else data, headers=headers)


def _nothing(code: str) -> Response:
    return JSONResponse({"error": code}, 404, headers={"X-Error-Code": code})


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
