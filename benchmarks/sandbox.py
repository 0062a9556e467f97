"""Programs per second: plain `python -c`, and the sandbox over HTTP.

    python benchmarks/sandbox.py [--seconds 3]

It starts a sandbox of its own. The plain subprocess has no isolation, no limits and no HTTP.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from plaudit.client import ClientOptions, SandboxClient
from plaudit.schemas.sandbox import RunRequest
from plaudit.testing import free_port

CODE = "print(int(input()) * 3 + 1)"
STDIN, STDOUT = "4\n", "13\n"
PYTHON = os.path.realpath(sys.executable)
CONCURRENCIES = (1, 2, 8, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    seconds = parser.parse_args().seconds
    print(f"{'':34}{'programs/s':>11}{'p50 ms':>9}{'p99 ms':>9}")
    for arguments in (["-c"], ["-I", "-S", "-c"]):
        report(f"{' '.join(['python', *arguments])}, 2 at once", plain(arguments, seconds), seconds)
    with sandbox() as url:
        for concurrency in CONCURRENCIES:
            took_s = asyncio.run(over_http(url, concurrency, seconds))
            report(f"sandbox over HTTP, {concurrency} at once", took_s, seconds)


def report(name: str, took_s: list[float], seconds: float) -> None:
    p50, p99 = statistics.median(took_s), statistics.quantiles(took_s, n=100)[98]
    print(f"{name:34}{len(took_s) / seconds:11.1f}{1000 * p50:9.1f}{1000 * p99:9.1f}")


def plain(arguments: list[str], seconds: float) -> list[float]:
    """Two threads that start one subprocess after another."""

    def run(_: int) -> list[float]:
        took_s, end = [], time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            command = [PYTHON, *arguments, CODE]
            done = subprocess.run(command, input=STDIN, capture_output=True, text=True, check=True)
            assert done.stdout == STDOUT
            took_s.append(time.perf_counter() - started)
        return took_s

    with ThreadPoolExecutor(2) as threads:
        return [one for part in threads.map(run, range(2)) for one in part]


@contextmanager
def sandbox() -> Iterator[str]:
    port = free_port()
    env = os.environ | {"PLAUDIT_SANDBOX_PORT": str(port), "PLAUDIT_SANDBOX_LOG_LEVEL": "warning"}
    process = subprocess.Popen([sys.executable, "-m", "plaudit_sandbox", "api"], env=env)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def over_http(url: str, concurrency: int, seconds: float) -> list[float]:
    async with SandboxClient(url, ClientOptions(max_connections=concurrency)) as client:
        async with asyncio.timeout(60):
            while not await client.healthy():
                await asyncio.sleep(0.1)
        parts = await asyncio.gather(*(repeat(client, seconds) for _ in range(concurrency)))
    return [one for part in parts for one in part]


async def repeat(client: SandboxClient, seconds: float) -> list[float]:
    took_s, end = [], time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        result = await client.run(RunRequest(code=CODE, stdin=STDIN))
        assert result.stdout == STDOUT, result
        took_s.append(time.perf_counter() - started)
    return took_s


if __name__ == "__main__":
    main()
