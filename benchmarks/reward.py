"""Throughput of the reward service: groups/s and CPU per group, through HTTP, queue and workers.

    python benchmarks/reward.py [--groups 3000] [--concurrency 32] [--workers 1]

Groups of 8 completions of 256 tokens (about 1 KB), rewards `format`, `repetition` and `accuracy`
with plain integer answers, one group per request. It starts a Redis, an API and workers of its
own, and counts the CPU time of all of them, Redis and the client apart.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from plaudit.client import ClientOptions, RewardClient
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest
from plaudit.testing import free_port, redis_server

NUM_COMPLETIONS = 8
NUM_TOKENS = 256
REWARDS = [RewardSpec(name=name) for name in ("format", "repetition", "accuracy")]
WORDS = [
    "we",
    "add",
    "the",
    "two",
    "and",
    "get",
    "that",
    "so",
    "far",
    "more",
    "than",
    "half",
    "of",
    "it",
    "stays",
    "with",
    "each",
    "side",
]


def main() -> None:
    options = parsed_options()
    with redis_server() as redis_url, service(redis_url, options.workers) as (url, pids):
        asyncio.run(wait_until_ready(url))
        asyncio.run(drive(url, requests(100), options.concurrency))
        batch = requests(options.groups)
        before_s, own_before_s = cpu_s(pids), time.process_time()
        started_s = time.perf_counter()
        asyncio.run(drive(url, batch, options.concurrency))
        wall_s = time.perf_counter() - started_s
        service_s, own_s = cpu_s(pids) - before_s, time.process_time() - own_before_s
    report(options.groups, wall_s, service_s, own_s)


def report(num_groups: int, wall_s: float, service_s: float, client_s: float) -> None:
    print(f"groups/s                    {num_groups / wall_s:8.1f}")
    print(f"CPU ms/group, API + workers {1000 * service_s / num_groups:8.2f}")
    print(f"CPU ms/group, client        {1000 * client_s / num_groups:8.2f}")


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--groups", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


def requests(num_groups: int) -> list[ScoreRequest]:
    chance = random.Random(0)
    return [
        ScoreRequest(groups=[group(index, chance)], rewards=REWARDS) for index in range(num_groups)
    ]


def group(index: int, chance: random.Random) -> RewardGroup:
    answer = chance.randrange(1000)
    completions = [completion(answer + chance.choice((0, 0, 1)), chance) for _ in range(8)]
    return RewardGroup(
        group_id=f"bench/{index}",
        prompt=[],
        completions=completions,
        reference={"answer": str(answer)},
    )


def completion(answer: int, chance: random.Random) -> Answer:
    thoughts = " ".join(chance.choices(WORDS, k=NUM_TOKENS))
    text = f"<think>\n{thoughts}\n</think>\n<answer>\n$\\boxed{{{answer}}}$\n</answer>"
    return Answer(text=text, num_tokens=NUM_TOKENS)


@contextmanager
def service(redis_url: str, num_workers: int) -> Iterator[tuple[str, list[int]]]:
    port = free_port()
    env = os.environ | {
        "PLAUDIT_REDIS_URL": redis_url,
        "PLAUDIT_REWARD_PORT": str(port),
        "PLAUDIT_REWARD_LOG_LEVEL": "warning",
    }
    commands = [["api"], *[["worker", "--pool", "rules"]] * num_workers]
    command = [sys.executable, "-m", "plaudit_reward"]
    processes = [subprocess.Popen([*command, *arguments], env=env) for arguments in commands]
    try:
        yield f"http://127.0.0.1:{port}", [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


async def wait_until_ready(url: str) -> None:
    async with RewardClient(url) as client:
        async with asyncio.timeout(30):
            while not await client.healthy():
                await asyncio.sleep(0.1)


async def drive(url: str, batch: Sequence[ScoreRequest], concurrency: int) -> None:
    waiting = iter(batch)
    async with RewardClient(url, ClientOptions(max_connections=concurrency)) as client:

        async def send() -> None:
            for request in waiting:
                response = await client.score(request)
                assert all(score.total is not None for score in response.groups[0].scores)

        await asyncio.gather(*(send() for _ in range(concurrency)))


def cpu_s(pids: Sequence[int]) -> float:
    return sum(process_cpu_s(pid) for pid in pids)


def process_cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
