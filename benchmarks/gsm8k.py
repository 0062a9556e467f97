"""Checking answers over HTTP beside the bare function in as many processes, on GSM8K.

    python benchmarks/gsm8k.py [--rows train.jsonl] [--concurrency 8]

Each solution of the file is compared with its own answer and with the next problem's; a request has
64 such pairs. Two cells: `accuracy` as it is, which knows most of these answers without asking
Math-Verify, and solutions without their last line, for which every pair is asked. Beside each, the
same function (and Math-Verify alone) called directly in a pool of as many processes as the worker
has. It starts a Redis, an API and one worker of its own.
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from reward import service, wait_until_ready

from plaudit.client import ClientOptions, RewardClient
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest
from plaudit.testing import redis_server
from plaudit_reward.verifier.child import answer_question
from plaudit_reward.verifier.marked import marked_answer
from plaudit_reward.verifier.plain import decide

ROWS = Path(__file__).parents[2] / "shared/data/gsm8k/train.jsonl"
BATCH = 64

Pair = tuple[str, str]
"""A gold answer and the text that is compared with it."""


def main() -> None:
    be_quiet()
    options = parsed_options()
    solutions = [json.loads(line)["answer"] for line in options.rows.read_text().splitlines()]
    num_processes = min(4, os.cpu_count() or 1)
    print(f"{2 * len(solutions)} pairs; {num_processes} processes; {BATCH} pairs a request\n")
    print(f"{'':42} pairs/s   ratio   p50 ms   p99 ms")
    with redis_server() as redis_url, service(redis_url, 1) as (url, _):
        asyncio.run(wait_until_ready(url))
        for name, pairs in cells(solutions).items():
            cell(name, pairs, url, num_processes, options.concurrency)


def cell(name: str, pairs: list[Pair], url: str, num_processes: int, concurrency: int) -> None:
    alone_s = directly(math_verify, pairs, num_processes)
    function_s = directly(accuracy, pairs, num_processes)
    asyncio.run(over_http(pairs[:1024], url, concurrency))
    started_s = time.perf_counter()
    latencies_s = asyncio.run(over_http(pairs, url, concurrency))
    http_s = time.perf_counter() - started_s
    report(f"{name}: Math-Verify, called directly", len(pairs), alone_s, http_s)
    report(f"{name}: accuracy, called directly", len(pairs), function_s, http_s)
    p50, p99 = (1000 * statistics.quantiles(latencies_s, n=100)[index] for index in (49, 98))
    print(
        f"{name + ': accuracy, over HTTP':42} {len(pairs) / http_s:7.0f} {p50:16.1f} {p99:8.1f}\n"
    )


def report(name: str, num_pairs: int, took_s: float, http_s: float) -> None:
    """The ratio is HTTP's rate to this one."""
    print(f"{name:42} {num_pairs / took_s:7.0f} {took_s / http_s:7.2f}")


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=Path, default=ROWS, help="GSM8K's train.jsonl")
    parser.add_argument("--concurrency", type=int, default=8, help="requests at once")
    options = parser.parse_args()
    if not options.rows.exists():
        parser.error(f"--rows {options.rows}: not there; give GSM8K's train.jsonl")
    return options


def cells(solutions: Sequence[str]) -> dict[str, list[Pair]]:
    answers = [solution.rpartition("####")[2].strip() for solution in solutions]
    golds = [*answers, *answers[1:], answers[0]]
    unmarked = [solution.rpartition("####")[0] for solution in solutions]
    return {
        "as it is": list(zip(golds, [*solutions, *solutions], strict=True)),
        "unmarked": list(zip(golds, [*unmarked, *unmarked], strict=True)),
    }


def math_verify(pair: Pair) -> float | None:
    return answer_question(pair[0], pair[1], "any").get("value")


def accuracy(pair: Pair) -> float | None:
    text = marked_answer(pair[1], "any")
    plain = decide(pair[0], text, "any")
    return plain if plain is not None else math_verify((pair[0], text))


def directly(function: Callable[[Pair], float | None], pairs: list[Pair], processes: int) -> float:
    """Seconds for all pairs; the processes are started before."""
    with multiprocessing.get_context("forkserver").Pool(processes, be_quiet) as pool:
        pool.map(function, pairs[:256], chunksize=BATCH)
        started_s = time.perf_counter()
        pool.map(function, pairs, chunksize=BATCH)
        return time.perf_counter() - started_s


def be_quiet() -> None:
    logging.disable(logging.CRITICAL)


async def over_http(pairs: list[Pair], url: str, concurrency: int) -> list[float]:
    """Seconds that each request took."""
    starts = iter(range(0, len(pairs), BATCH))
    latencies_s: list[float] = []
    async with RewardClient(url, ClientOptions(max_connections=concurrency)) as client:

        async def send() -> None:
            for start in starts:
                request = request_of(pairs[start : start + BATCH], start)
                started_s = time.perf_counter()
                response = await client.score(request)
                latencies_s.append(time.perf_counter() - started_s)
                assert all(group.scores[0].total is not None for group in response.groups)

        await asyncio.gather(*(send() for _ in range(concurrency)))
    return latencies_s


def request_of(pairs: Sequence[Pair], start: int) -> ScoreRequest:
    groups = [
        RewardGroup(
            group_id=str(start + index),
            prompt=[],
            completions=[Answer(text=text)],
            reference={"answer": gold},
        )
        for index, (gold, text) in enumerate(pairs)
    ]
    return ScoreRequest(groups=groups, rewards=[RewardSpec(name="accuracy")])


if __name__ == "__main__":
    main()
