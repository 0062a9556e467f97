"""The judge service against an endpoint that answers in 200 ms and refuses more than 64 at once.

    python benchmarks/judge.py [--jobs 16000] [--tournaments 100] [--workers 1] [--write-docs]

The limit of everything is the endpoint's: 64 / 0.2 s = 320 calls/s; a bare client that keeps 64
calls under way stands beside it. Verdicts are not cached, so that each is a call.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from statistics import median

import aiohttp
from docs_section import machine, write_section
from judge_endpoint import LATENCY_S, MAX_CALLS
from judge_services import JUDGE, Service, judge_service

from plaudit.client import ClientOptions, JudgeClient
from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest, TournamentRequest

CEILING_PER_S = MAX_CALLS / LATENCY_S
GROUP_SIZE = 8
CALLS_PER_TOURNAMENT = GROUP_SIZE * (GROUP_SIZE - 1)
PROMPT = [Message(role="user", content="Which number is larger?")]
OPTIONS = ClientOptions(max_connections=256, timeout_s=600.0, max_attempts=1000)
MIB = 2**20


def main() -> None:
    options = parsed_options()
    with judge_service(options.workers, options.max_concurrency) as service:
        lines = asyncio.run(measure(service, options))
    table = "\n".join(["| | measured | bar |", "|---|---:|---:|", *lines])
    print(table)
    if options.write_docs:
        write_section("judge", f"{table}\n\n{machine()}, {options.workers} worker(s).")


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=16_000)
    parser.add_argument("--tournaments", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--max-concurrency", type=int, default=MAX_CALLS)
    parser.add_argument("--write-docs", action="store_true")
    return parser.parse_args()


async def measure(service: Service, options: argparse.Namespace) -> list[str]:
    async with JudgeClient(service.url, OPTIONS) as client:
        await client.pairwise(pair(0))
        lines = await one_tournament(client)
        lines += await many_tournaments(service, client, options.tournaments)
        lines += await jobs_with_kills(service, client, options.jobs)
    return lines


def pair(seed: int) -> PairwiseRequest:
    chance = Random(seed)
    a, b = chance.sample(range(10**9), 2)
    return PairwiseRequest(
        prompt=PROMPT, a=str(a), b=str(b), judge=JUDGE, rubric="demo", swap=False, seed=seed,
        cache=False,
    )  # fmt: skip


def tournament(seed: int) -> TournamentRequest:
    answers = [str(number) for number in Random(seed).sample(range(10**9), GROUP_SIZE)]
    return TournamentRequest(
        prompt=PROMPT, responses=answers, judge=JUDGE, rubric="demo", swap=True, seed=seed,
        cache=False,
    )  # fmt: skip


async def timed(work: Awaitable[object]) -> float:
    started_s = time.perf_counter()
    await work
    return time.perf_counter() - started_s


async def one_tournament(client: JudgeClient) -> list[str]:
    calls_s = [await timed(client.pairwise(pair(seed))) for seed in range(1, 6)]
    groups_s = [await timed(client.tournament(tournament(seed))) for seed in range(5)]
    bar_s = 1.5 * LATENCY_S + 0.1
    return [
        f"| one comparison in one order, median of 5 | {1000 * median(calls_s):.0f} ms | |",
        f"| a tournament of {GROUP_SIZE} in both orders ({CALLS_PER_TOURNAMENT} calls), median "
        f"of 5 | {1000 * median(groups_s):.0f} ms | {1000 * bar_s:.0f} ms |",
    ]


async def many_tournaments(service: Service, client: JudgeClient, count: int) -> list[str]:
    num_calls = count * CALLS_PER_TOURNAMENT
    bare_per_s = num_calls / await timed(bare_client(service, num_calls))
    before, cpu_before_s = service.counts(), service.cpu_s()
    seeds = range(1000, 1000 + count)
    started_s = time.perf_counter()
    answers = await asyncio.gather(*(client.tournament(tournament(seed)) for seed in seeds))
    per_s = num_calls / (time.perf_counter() - started_s)
    cpu_ms = 1000 * (service.cpu_s() - cpu_before_s) / num_calls
    failed = sum(None in answer.rewards for answer in answers)
    refused = service.counts()["refused"] - before["refused"]
    share = per_s / CEILING_PER_S
    return [
        f"| {count} such tournaments at once | {per_s:.0f} calls/s, {share:.2f} of the ceiling | "
        f"0.90 of {CEILING_PER_S:.0f} |",
        f"| a bare client with {MAX_CALLS} calls under way | {bare_per_s:.0f} calls/s | |",
        f"| ours / bare client | {per_s / bare_per_s:.2f} | |",
        f"| tournaments without a full result | {failed} | 0 |",
        f"| calls the endpoint refused (made again) | {refused} | |",
        f"| CPU per call, endpoint included | {cpu_ms:.2f} ms | |",
    ]


async def bare_client(service: Service, num_calls: int) -> None:
    """The physical limit: nothing but HTTP to the endpoint."""
    body = {"model": "m", "messages": [{"role": "user", "content": "A: 1\nB: 2"}]}
    waiting = iter(range(num_calls))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=MAX_CALLS)) as session:

        async def call() -> None:
            for _ in waiting:
                url = f"{service.endpoint_url}/v1/chat/completions"
                async with session.post(url, json=body) as response:
                    await response.read()

        await asyncio.gather(*(call() for _ in range(MAX_CALLS)))


@dataclass
class Jobs:
    """Which of the jobs have their verdict, and which of those is not the right one."""

    num_done: int = 0
    num_wrong: int = 0
    num_failed: int = 0


async def jobs_with_kills(service: Service, client: JudgeClient, count: int) -> list[str]:
    before = service.counts()
    jobs = Jobs()
    started_s = time.perf_counter()
    killer = asyncio.create_task(kill_in_the_middle(service, jobs, count))
    peaks = asyncio.create_task(watch(service))
    await asyncio.gather(*(one_job(client, seed, jobs) for seed in range(count)))
    wall_s = time.perf_counter() - started_s
    peaks.cancel()
    killed = await killer
    calls = service.counts()["answered"] - before["answered"]
    memory = ", ".join(
        f"{name} {part.peak_bytes / MIB:.0f}" for name, part in service.parts.items()
    )
    return [
        f"| {count} comparisons as jobs at once, {killed} killed in the middle | "
        f"{count / wall_s:.0f} jobs/s, {count / wall_s / CEILING_PER_S:.2f} of the ceiling | |",
        f"| answered / wrong / failed | {jobs.num_done} / {jobs.num_wrong} / {jobs.num_failed} | "
        f"{count} / 0 / 0 |",
        f"| calls made again for the kills | {calls - count} | |",
        f"| peak memory, MiB | {memory} | bounded |",
    ]


async def one_job(client: JudgeClient, seed: int, jobs: Jobs) -> None:
    request = pair(seed)
    accepted = await client.submit_job("pairwise", request, idempotency_key=f"bench-{seed}")
    view = await client.job(accepted.job_id, wait_s=30.0)
    while view.status in ("queued", "running"):
        view = await client.job(accepted.job_id, wait_s=30.0)
    jobs.num_done += view.result is not None
    jobs.num_failed += view.result is None
    right = "a" if int(request.a) > int(request.b) else "b"
    jobs.num_wrong += view.result is not None and view.result["winner"] != right


async def kill_in_the_middle(service: Service, jobs: Jobs, count: int) -> str:
    """SIGKILL a worker after a third of the jobs, the API after two thirds; start each again."""
    killed: Sequence[str] = ("worker 0", "API")
    for index, name in enumerate(killed, start=1):
        while jobs.num_done < index * count / 3:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(service.parts[name].kill)
        service.parts[name].start()
    return " and ".join(killed)


async def watch(service: Service) -> None:
    while True:
        for part in service.parts.values():
            with suppress(OSError, StopIteration):
                part.look()
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    main()
