"""Checking answers over HTTP beside the bare functions in as many processes, on GSM8K.

    python benchmarks/gsm8k.py [--rows train.jsonl] [--concurrency 8]

Two kinds of texts: GSM8K's solutions as they are, most of which `accuracy` knows without asking
Math-Verify, and solutions without their last line, for which it has to ask for every pair. Two
shapes of requests with 64 pairs: each a group of its own, or 8 groups of 8 completions as in
training. Beside each, called directly in a pool of as many processes as the worker has:
Math-Verify as it comes, and the function behind `accuracy`. Each starts a Redis, an API and one
worker of its own, so that no answer is known from before.
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
from functools import lru_cache
from pathlib import Path

from math_verify import parse, verify
from reward import service, wait_until_ready

from plaudit.client import ClientOptions, RewardClient
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest
from plaudit.testing import redis_server
from plaudit_reward.verifier.child import EXTRACT, GOLD, answer_question
from plaudit_reward.verifier.libraries import speed_up
from plaudit_reward.verifier.marked import marked_answer
from plaudit_reward.verifier.plain import decide

ROWS = Path(__file__).parents[2] / "shared/data/gsm8k/train.jsonl"
BATCH = 64
GROUP_SIZES = (1, 8)
WARM_UP = 1024

Pair = tuple[str, str]
"""A gold answer and the text that is compared with it."""
Function = Callable[[Pair], object]


def main() -> None:
    be_quiet()
    options = parsed_options()
    solutions = [json.loads(line)["answer"] for line in options.rows.read_text().splitlines()]
    num_processes = min(4, os.cpu_count() or 1)
    print(f"{2 * len(solutions)} pairs; {num_processes} processes; {BATCH} pairs a request\n")
    print(f"{'':42} pairs/s   ratio   p50 ms   p99 ms")
    for name, texts in kinds(solutions).items():
        for group_size in GROUP_SIZES:
            print(f"{name}, {BATCH // group_size} groups of {group_size}")
            cell(pairs_of(solutions, texts, group_size), group_size, num_processes, options)


def cell(
    pairs: list[Pair], group_size: int, num_processes: int, options: argparse.Namespace
) -> None:
    alone_s = directly(math_verify, pairs, num_processes, be_quiet)
    function_s = directly(accuracy, pairs, num_processes, be_ready)
    with redis_server() as redis_url, service(redis_url, 1) as (url, _):
        asyncio.run(wait_until_ready(url))
        others = [(gold, f"So: {text}") for gold, text in pairs[:WARM_UP]]
        asyncio.run(over_http(others, group_size, url, options.concurrency))
        started_s = time.perf_counter()
        latencies_s = asyncio.run(over_http(pairs, group_size, url, options.concurrency))
        http_s = time.perf_counter() - started_s
    report("Math-Verify, called directly", len(pairs), alone_s, http_s)
    report("accuracy, called directly", len(pairs), function_s, http_s)
    p50, p99 = (1000 * statistics.quantiles(latencies_s, n=100)[index] for index in (49, 98))
    print(f"  {'accuracy, over HTTP':40} {len(pairs) / http_s:7.0f} {p50:16.1f} {p99:8.1f}\n")


def report(name: str, num_pairs: int, took_s: float, http_s: float) -> None:
    """The ratio is HTTP's rate to this one."""
    print(f"  {name:40} {num_pairs / took_s:7.0f} {took_s / http_s:7.2f}")


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=Path, default=ROWS, help="GSM8K's train.jsonl")
    parser.add_argument("--concurrency", type=int, default=8, help="requests at once")
    options = parser.parse_args()
    if not options.rows.exists():
        parser.error(f"--rows {options.rows}: not there; give GSM8K's train.jsonl")
    return options


def kinds(solutions: Sequence[str]) -> dict[str, list[str]]:
    return {
        "as they are": list(solutions),
        "without the last line": [solution.rpartition("####")[0] for solution in solutions],
    }


def pairs_of(solutions: Sequence[str], texts: Sequence[str], group_size: int) -> list[Pair]:
    """Each text with its own answer and with the next problem's, or with its group's first."""
    answers = [solution.rpartition("####")[2].strip() for solution in solutions]
    golds = [*answers, *answers[1:], answers[0]]
    return [
        (golds[index - index % group_size], text) for index, text in enumerate([*texts, *texts])
    ]


def math_verify(pair: Pair) -> float:
    """As it comes, but without its time limits, and a gold answer is parsed once: both spare it
    time."""
    parsed = parse(pair[1], EXTRACT["any"], extraction_mode="first_match", parsing_timeout=None)
    return float(verify(parsed_gold(pair[0]), parsed, timeout_seconds=None))


@lru_cache(maxsize=256)
def parsed_gold(gold: str) -> object:
    return parse(gold, GOLD, extraction_mode="first_match", parsing_timeout=None)


def accuracy(pair: Pair) -> float | str:
    text = marked_answer(pair[1], "any")
    plain = decide(pair[0], text, "any")
    return plain if plain is not None else answer_question(pair[0], text, "any")


def directly(
    function: Function, pairs: list[Pair], num_processes: int, initializer: Callable[[], None]
) -> float:
    """Seconds for all pairs; the processes are started before."""
    with multiprocessing.get_context("forkserver").Pool(num_processes, initializer) as pool:
        pool.map(function, pairs[:WARM_UP], chunksize=BATCH)
        started_s = time.perf_counter()
        pool.map(function, pairs, chunksize=BATCH)
        return time.perf_counter() - started_s


def be_quiet() -> None:
    logging.disable(logging.CRITICAL)


def be_ready() -> None:
    """As the worker's own processes are."""
    be_quiet()
    speed_up()


async def over_http(pairs: list[Pair], group_size: int, url: str, concurrency: int) -> list[float]:
    """Seconds that each request took."""
    starts = iter(range(0, len(pairs), BATCH))
    latencies_s: list[float] = []
    async with RewardClient(url, ClientOptions(max_connections=concurrency)) as client:

        async def send() -> None:
            for start in starts:
                request = request_of(pairs[start : start + BATCH], group_size)
                started_s = time.perf_counter()
                response = await client.score(request)
                latencies_s.append(time.perf_counter() - started_s)
                scores = [score for group in response.groups for score in group.scores]
                assert all(score.total is not None for score in scores)

        await asyncio.gather(*(send() for _ in range(concurrency)))
    return latencies_s


def request_of(pairs: Sequence[Pair], group_size: int) -> ScoreRequest:
    """Pairs of a group have the same gold answer."""
    groups = [
        RewardGroup(
            group_id=str(start),
            prompt=[],
            completions=[Answer(text=text) for _, text in pairs[start : start + group_size]],
            reference={"answer": pairs[start][0]},
        )
        for start in range(0, len(pairs), group_size)
    ]
    return ScoreRequest(groups=groups, rewards=[RewardSpec(name="accuracy")])


if __name__ == "__main__":
    main()
