"""`plaudit generate` against the rollout service: API, worker, a stand-in for vLLM."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from plaudit.client import RolloutClient
from plaudit.file_job.journal import Journal
from plaudit.file_job.progress import Progress
from plaudit.generating.job import GenerationJob
from plaudit.generating.prompts import PromptFile
from plaudit.generating.rollouts import RolloutGenerator
from plaudit.schemas.generate import Ask, GeneratedRow

NUM_ROWS = 12


async def generate(api: str, path: Path) -> Progress:
    (path / "in.jsonl").write_text("".join(f'{{"prompt": "p{n}"}}\n' for n in range(NUM_ROWS)))
    file, progress = PromptFile(path / "in.jsonl", "options"), Progress(NUM_ROWS)
    async with RolloutClient(api) as client:
        generator = RolloutGenerator(client, "job")
        with Journal(path / "out.jsonl", GeneratedRow.model_validate_json, "a result") as journal:
            async with generator.collecting():
                job = GenerationJob(file, journal, progress, generator, Ask(n=2), False)
                await job.run(4)
            journal.sort(file.check())
    return progress


def lines(path: Path) -> list[dict[str, Any]]:
    out = path / "out.jsonl"
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


async def test_a_job_that_is_cut_off_goes_on_and_generates_nothing_twice(
    api, make_settings, engines, run_worker, tmp_path
):
    engine = await engines(seconds_per_request=0.03)
    settings = make_settings(engine_url=engine.url)
    async with run_worker(settings):
        first = asyncio.create_task(generate(api, tmp_path))
        while len(lines(tmp_path)) < 3:
            await asyncio.sleep(0.01)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        progress = await generate(api, tmp_path)
    assert progress.num_earlier >= 3 and not progress.failures
    assert [line["id"] for line in lines(tmp_path)] == [str(n) for n in range(NUM_ROWS)]
    assert all(len(line["completions"]) == 2 for line in lines(tmp_path))
    assert engine.num_generated == NUM_ROWS
    async with RolloutClient(api) as client:
        left = await client.finished("job", 64, 0.0, "another consumer")
    assert left.groups == [], "every group was settled"


async def test_a_row_that_the_engine_refuses_fails_with_its_reason(
    api, make_settings, engines, run_worker, tmp_path
):
    engine = await engines()
    engine.refuse_generate = True
    async with run_worker(make_settings(engine_url=engine.url)):
        progress = await generate(api, tmp_path)
    assert len(progress.failures) == NUM_ROWS and progress.failures["0"].error
    assert lines(tmp_path) == []
