"""Generation against a server with OpenAI's chat wire format, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from plaudit.client import ClientOptions
from plaudit.config.settings import ServiceSettings
from plaudit.errors import NotFound, Unauthorized, Unavailable
from plaudit.file_job.journal import Journal
from plaudit.file_job.progress import Progress
from plaudit.generating.endpoint import EndpointGenerator
from plaudit.generating.job import GenerationJob
from plaudit.generating.prompts import PromptFile
from plaudit.schemas.generate import Ask, GeneratedRow
from plaudit.service import create_app
from plaudit.testing import running


@dataclass
class Server:
    """Answers `<think>..</think>PROMPT`. `status` has the codes that a prompt is answered first."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, list[int]] = field(default_factory=dict)
    num_choices: int | None = None
    delay_s: float = 0.0

    def app(self) -> FastAPI:
        app = create_app("endpoint", ServiceSettings(drain_timeout_s=0.1))

        @app.get("/v1/models")
        async def models() -> dict[str, Any]:
            return {"object": "list", "data": [{"id": "m", "object": "model"}]}

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> JSONResponse:
            body = await request.json()
            self.asked.append(body)
            await asyncio.sleep(self.delay_s)
            prompt = body["messages"][-1]["content"]
            if codes := self.status.get(prompt):
                code = codes.pop(0) if len(codes) > 1 else codes[0]
                if code != 200:
                    return JSONResponse({"error": {"message": f"no: {prompt}"}}, code)
            message = {"role": "assistant", "content": f"<think>hm</think>\n{prompt}"}
            choice = {"message": message, "finish_reason": "stop", "index": 0}
            count = body["n"] if self.num_choices is None else self.num_choices
            return JSONResponse({"id": "x", "choices": [choice] * count, "usage": None})

        return app


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with running(server.app()) as url:
        server.url = f"{url}/v1"
        yield server


@dataclass
class Bench:
    server: Server
    path: Path

    async def run(
        self,
        num_rows: int,
        *,
        concurrency: int = 4,
        timeout_s: float = 5.0,
        strip: bool = False,
        **ask: Any,
    ) -> Progress:
        """One run of the job over rows 0 to `num_rows`, as the command does it."""
        prompts = self.path / "in.jsonl"
        prompts.write_text("".join(f'{{"prompt": "p{n}"}}\n' for n in range(num_rows)))
        file = PromptFile(prompts, "options")
        progress = Progress(num_rows)
        async with self.generator(timeout_s) as generator:
            with Journal(
                self.path / "out.jsonl", GeneratedRow.model_validate_json, "a result"
            ) as journal:
                job = GenerationJob(file, journal, progress, generator, Ask(**ask), strip)
                await job.run(concurrency)
                journal.sort(file.check())
        return progress

    @asynccontextmanager
    async def generator(self, timeout_s: float) -> AsyncIterator[EndpointGenerator]:
        options = ClientOptions(
            timeout_s=timeout_s, max_attempts=100, backoff_s=0.01, max_backoff_s=0.02
        )
        async with EndpointGenerator(self.server.url, "m", options) as generator:
            yield generator

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "out.jsonl").read_text().splitlines()]


@pytest.fixture
def bench(server: Server, tmp_path: Path) -> Bench:
    return Bench(server, tmp_path)


async def test_every_row_is_answered_and_the_output_is_in_the_rows_order(bench: Bench) -> None:
    progress = await bench.run(20, n=2, concurrency=8)
    assert progress.num_answered == 20
    assert [line["id"] for line in bench.lines()] == [str(n) for n in range(20)]
    assert (
        bench.lines()[3]["completions"]
        == [{"text": "<think>hm</think>\np3", "finish_reason": "stop"}] * 2
    )
    body = bench.server.asked[0]
    assert (body["n"], body["temperature"], body["top_p"], body["top_k"]) == (2, 0.7, 0.8, 20)
    assert body["max_tokens"] == 512 and "seed" not in body


async def test_seeds_differ_by_row_and_thinking_is_cut_off_where_asked(bench: Bench) -> None:
    sampling = Ask().sampling.model_copy(update={"seed": 7, "top_k": 0})
    await bench.run(2, strip=True, sampling=sampling)
    assert sorted(body["seed"] for body in bench.server.asked) == [7, 8]
    assert all("top_k" not in body for body in bench.server.asked)
    assert [line["completions"][0]["text"] for line in bench.lines()] == ["p0", "p1"]


async def test_what_fails_for_a_while_is_asked_again_and_what_is_refused_is_named(
    bench: Bench,
) -> None:
    bench.server.status = {"p1": [503, 429, 200], "p2": [400]}
    progress = await bench.run(4)
    assert progress.num_answered == 3
    assert "400" in progress.failures["2"].error and "no: p2" in progress.failures["2"].error
    assert [line["id"] for line in bench.lines()] == ["0", "1", "3"]
    bench.server.status.clear()
    bench.server.asked.clear()
    progress = await bench.run(4)
    assert (progress.num_earlier, progress.num_answered) == (3, 1)
    assert len(bench.server.asked) == 1
    assert [line["id"] for line in bench.lines()] == ["0", "1", "2", "3"]


async def test_a_row_that_nobody_can_answer_fails_alone_with_why_it_was_retried(
    bench: Bench,
) -> None:
    bench.server.status = {"p0": [500]}
    bench.server.delay_s = 0.02
    progress = await bench.run(8, concurrency=2, timeout_s=1.0)
    assert progress.num_answered == 7
    assert "500" in progress.failures["0"].error


async def test_nobody_who_answers_ends_the_job(bench: Bench) -> None:
    bench.server.status = {f"p{n}": [503] for n in range(100)}
    with pytest.raises(Unavailable, match="503"):
        await bench.run(100, timeout_s=0.2)
    assert bench.lines() == []


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (404, NotFound)])
async def test_a_wrong_key_or_model_ends_the_job_at_once(
    bench: Bench, status: int, error: type[Exception]
) -> None:
    bench.server.status = {f"p{n}": [status] for n in range(100)}
    with pytest.raises(error):
        await bench.run(100)
    assert len(bench.server.asked) < 10


async def test_fewer_completions_than_asked_for_are_a_failure(bench: Bench) -> None:
    bench.server.num_choices = 1
    progress = await bench.run(1, n=3)
    assert "gave 1 of 3 completions" in progress.failures["0"].error


async def test_nobody_at_the_address_is_told_before_anything_is_asked(server: Server) -> None:
    options = ClientOptions(max_attempts=2, backoff_s=0.01)
    async with EndpointGenerator(server.url, "m", options) as generator:
        await generator.check()
    async with EndpointGenerator("http://127.0.0.1:9/v1", "m", options) as generator:
        with pytest.raises(Unavailable, match="cannot be connected to") as caught:
            await generator.check()
    assert caught.value.fix == "start it, or correct --endpoint"
