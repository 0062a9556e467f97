"""Programs per second: a plain subprocess, bubblewrap, SandboxFusion, and the sandbox over HTTP.

    python benchmarks/sandbox.py [--seconds 4] [--fusion CHECKOUT --fusion-python PYTHON]

Each runs the same program that reads a number and prints another. The plain subprocess has no
isolation, no limits and no HTTP. Then the sandbox gets twice the load that it can take.
benchmarks/sandbox_fusion.py says what PYTHON needs.
"""

import argparse
import asyncio
import os
import statistics
import sys

import sandbox_peers as peers
from docs_section import machine, write_section
from sandbox_load import FUSIONS, OURS, Overload, Target, closed_loop, overload

CONCURRENCIES = (1, 8, 64)
SATURATING = 8
ROUNDS = 5
LEAST_RATIO = 0.7
MOST_P99 = 3.0


def main() -> None:
    options = parsed_options()
    lines: list[str] = []
    note(lines, f"{'':38}{'runs/s':>8}{'p50 ms':>9}{'p99 ms':>9}")
    with peers.clean_python() as python:
        ratio, load = measure(lines, options, python)
    summary(lines, ratio, load)
    if options.write_docs:
        where = f"{machine()}, load {os.getloadavg()[1]:.1f}."
        write_section("sandbox", "\n".join([where, "", "```text", *lines, "```"]))


def measure(lines: list[str], options: argparse.Namespace, python: str) -> tuple[float, Overload]:
    """The sandbox beside a plain subprocess, and what it does with twice as much as it can take."""
    seconds = options.seconds
    over(lines, "plain subprocess", peers.plain(python), seconds)
    wrapped = peers.bubblewrap(python)
    if isinstance(wrapped, str):
        note(lines, f"bwrap + python: not measured, {wrapped}")
    else:
        over(lines, "bwrap + python", wrapped, seconds)
    if options.fusion is None:
        note(lines, "SandboxFusion: not measured, give --fusion")
    else:
        with peers.fusion(options.fusion, options.fusion_python) as url:
            over_http(lines, "SandboxFusion, no isolation", url, FUSIONS, seconds)
    with peers.sandbox() as url:
        ours = over_http(lines, "sandbox over HTTP", url, OURS, seconds)
        ratio = statistics.median(in_turns(url, python, seconds) for _ in range(ROUNDS))
        load = asyncio.run(overload(url, OURS, 2 * ours, 2 * seconds))
    return ratio, load


def in_turns(url: str, python: str, seconds: float) -> float:
    """The sandbox / a plain subprocess, one right after the other: a machine changes with time."""
    ours = asyncio.run(closed_loop(url, OURS, SATURATING, seconds))
    return len(ours) / len(peers.subprocesses(peers.plain(python), SATURATING, seconds))


def over(lines: list[str], name: str, command: list[str], seconds: float) -> None:
    for concurrency in CONCURRENCIES[:2]:
        took_s = peers.subprocesses(command, concurrency, seconds)
        row(lines, f"{name}, {concurrency} at once", took_s, seconds)


def over_http(lines: list[str], name: str, url: str, target: Target, seconds: float) -> float:
    """Runs per second at the best concurrency."""
    best = 0.0
    for concurrency in CONCURRENCIES:
        took_s = asyncio.run(closed_loop(url, target, concurrency, seconds))
        best = max(best, row(lines, f"{name}, {concurrency} at once", took_s, seconds))
    return best


def row(lines: list[str], name: str, took_s: list[float], seconds: float) -> float:
    p50, p99 = 1000 * statistics.median(took_s), 1000 * percentile(took_s, 99)
    note(lines, f"{name:38}{len(took_s) / seconds:8.1f}{p50:9.1f}{p99:9.1f}")
    return len(took_s) / seconds


def summary(lines: list[str], ratio: float, load: Overload) -> None:
    p50, p99 = statistics.median(load.accepted_s), percentile(load.accepted_s, 99)
    refused_p99 = percentile(load.refused_s, 99) if len(load.refused_s) > 1 else 0.0
    for line in (
        "",
        f"sandbox / plain subprocess, {SATURATING} at once, {ROUNDS} times in turns, median"
        f"{ratio:8.2f}   at least {LEAST_RATIO}",
        "",
        f"offered, twice saturation{load.offered_per_s:15.1f} /s",
        f"accepted                 {len(load.accepted_s) / load.seconds:15.1f} /s",
        f"refused with 429         {len(load.refused_s) / load.seconds:15.1f} /s, "
        f"p99 {1000 * refused_p99:.1f} ms",
        f"p50, p99 of the accepted {1000 * p50:9.1f}, {1000 * p99:.1f} ms",
        f"p99 / p50                {p99 / p50:15.2f}   below {MOST_P99:g}",
    ):
        note(lines, line)


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def note(lines: list[str], line: str) -> None:
    lines.append(line)
    print(line, flush=True)


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4.0, help="per measurement")
    parser.add_argument("--fusion", help="a checkout of SandboxFusion")
    parser.add_argument("--fusion-python", default=sys.executable, help="that has what it imports")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
