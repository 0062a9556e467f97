"""A hub that speaks the protocol of huggingface_hub 2.4: repositories, branches, LFS, commits.

Written from the requests that the library makes and huggingface.co/docs/hub/api.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from plaudit.config.settings import ServiceSettings
from plaudit.service import create_app

KEY = "hf_" + "k" * 34
FIRST = "0" * 40


@dataclass
class Hub:
    """`branches` has the files of each branch, by path; `failures` answers 503 so many times."""

    url: str = ""
    failures: int = 0
    private: bool | None = None
    branches: dict[str, dict[str, bytes]] = field(default_factory=dict)
    started_from: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    keys: set[str | None] = field(default_factory=set)
    commits: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = create_app("hub", ServiceSettings(drain_timeout_s=0.1))

        @app.middleware("http")
        async def known(request: Request, call_next):
            if not request.url.path.startswith("/blob/"):
                self.keys.add(request.headers.get("authorization"))
                if request.headers.get("authorization") != f"Bearer {KEY}":
                    return JSONResponse({"error": "Invalid username or password."}, 401)
            if self.failures:
                self.failures -= 1
                return JSONResponse({"error": "busy"}, 503)
            return await call_next(request)

        @app.post("/api/repos/create")
        async def create(request: Request) -> Response:
            if self.branches:
                taken = {
                    "error": "You already created this model repo",
                    "url": f"{self.url}/me/model",
                }
                return JSONResponse(taken, 409)
            asked = await request.json()
            self.private = asked.get("private", asked.get("visibility") == "private")
            self.branches["main"] = {}
            return JSONResponse({"url": f"{self.url}/me/model"})

        @app.get("/api/models/me/model")
        async def info() -> dict[str, object]:
            return {"id": "me/model", "sha": FIRST, "private": True}

        @app.get("/api/models/me/model/commits/{branch}")
        async def commits(branch: str) -> list[dict[str, object]]:
            ids = [*(f"{number + 1:040x}" for number in range(len(self.commits))), FIRST]
            date = "2026-01-01T00:00:00.000Z"
            return [
                {"id": i, "authors": [{"user": "me"}], "date": date, "title": "t", "message": ""}
                for i in ids
            ]

        @app.post("/api/models/me/model/branch/{branch}")
        async def branch(branch: str, request: Request) -> Response:
            if branch in self.branches:
                return JSONResponse({"error": "Reference already exists"}, 409)
            self.started_from[branch] = (await request.json())["startingPoint"]
            self.branches[branch] = {}
            return JSONResponse({})

        @app.post("/api/models/me/model/preupload/{branch}")
        async def preupload(branch: str, request: Request) -> dict[str, object]:
            files = (await request.json())["files"]
            return {
                "files": [
                    {
                        "path": one["path"],
                        "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                        "shouldIgnore": False,
                    }
                    for one in files
                ]
            }

        @app.post("/me/model.git/info/lfs/objects/batch")
        async def batch(request: Request) -> JSONResponse:
            objects = (await request.json())["objects"]
            described = [
                {**one, "actions": {"upload": {"href": f"{self.url}/blob/{one['oid']}"}}}
                for one in objects
            ]
            answer = {"transfer": "basic", "objects": described}
            return JSONResponse(answer, media_type="application/vnd.git-lfs+json")

        @app.put("/blob/{oid}")
        async def blob(oid: str, request: Request) -> Response:
            content = await request.body()
            assert hashlib.sha256(content).hexdigest() == oid
            self.blobs[oid] = content
            return Response()

        @app.post("/api/models/me/model/commit/{branch}")
        async def commit(branch: str, request: Request) -> dict[str, object]:
            for line in (await request.body()).splitlines():
                item = json.loads(line)
                value = item["value"]
                if item["key"] == "header":
                    self.commits.append(value["summary"])
                elif item["key"] == "file":
                    self.branches[branch][value["path"]] = base64.b64decode(value["content"])
                elif item["key"] == "lfsFile":
                    self.branches[branch][value["path"]] = self.blobs[value["oid"]]
            oid = f"{len(self.commits):040x}"
            return {
                "success": True,
                "commitOid": oid,
                "commitUrl": f"{self.url}/me/model/commit/{oid}",
                "hookOutput": "",
            }

        return app
