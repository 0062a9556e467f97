"""How long generation stands still while new weights are loaded, and that no request is lost.

    python benchmarks/weight_swap.py [--swaps 20] [--write-docs]

A real vLLM and the rollout service (API, queue, worker) serve the seed model; 128 sequences are in
flight all the time, which end by their length only: the engine is told that padding ends an answer,
which the model never says. Versions are published with
manifest and probe as the learner does, one a second. `pause` is the time from the engine's answer
to /pause to its answer to /resume, as the worker reports it.

Beside it what the load alone takes on an idle engine: the bare /collective_rpc reload_weights of
the same versions, and reading the same safetensors files in this process.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
from docs_section import machine, write_section
from local_up import Services, services

from plaudit.client import RolloutClient
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupts
from plaudit.local.recipes import build_seed
from plaudit.schemas.common import Message
from plaudit.schemas.policy import PolicyAnnouncement, PolicyReplica
from plaudit.schemas.rollout import RolloutAck, RolloutPrompt, RolloutRequest, Sampling
from plaudit_rollout.engine.client import EngineClient
from plaudit_trainer.policy_store import WEIGHTS_NAME, PolicyStore

RUN = "swap"
BAR_S = 0.15
NUM_IN_FLIGHT = 128
NUM_COMPLETIONS = 4
"""The worker generates 32 groups at once."""
NUM_AHEAD = 48
"""Groups that are submitted and not back, so that the worker never runs out."""
EVERY_S = 1.0
POLL_S = 0.01
MAX_FAILED = 100
TIMEOUT_S = 300.0
MAX_TOKENS = range(100, 480)
"""Of different lengths, or all would end, and the next begin, at the same moment."""
PROMPT = [Message(role="user", content="What is 17+25?")]


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="plaudit-swap-") as name:
        directory = Path(name)
        model = endless(asyncio.run(seed_model()), directory / "model")
        versions = publish(directory / "policies", model, options.swaps + 1)
        with services(directory, "rollout", "--model", str(model)) as on:
            swaps = asyncio.run(swap_under_load(on, versions))
            bare_s = asyncio.run(reload_bare(on.engine_url, versions))
        read_s = [read(version.path) for version in versions]
        num_bytes = (Path(versions[0].path) / WEIGHTS_NAME).stat().st_size
    text = f"{table(swaps, bare_s, read_s)}\n\n{about(swaps, num_bytes)}"
    print(text)
    if options.write_docs:
        write_section("swap", text)
    raise SystemExit(verdict(swaps))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--write-docs", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


async def seed_model() -> Path:
    """Built at first, which takes a minute; found afterwards."""
    built = await build_seed(Environment(), Interrupts(), lambda *_: None)
    return Path(built["model_dir"])


def endless(model: Path, target: Path) -> Path:
    """A copy whose answers do not end by themselves."""
    shutil.copytree(model, target)
    change(target / "tokenizer_config.json", "eos_token", "<|pad|>")
    for name in ("config.json", "generation_config.json"):
        change(target / name, "eos_token_id", 0)
    return target


def change(path: Path, key: str, value: str | int) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))


def publish(root: Path, model_dir: Path, number: int) -> list[PolicyAnnouncement]:
    """Versions of the model, each a little different from the one before."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from plaudit_trainer.learner.probe import compute_probe, probe_sequences

    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    sequences = probe_sequences(AutoTokenizer.from_pretrained(model_dir))
    config = {**model.config.to_dict(), "tie_word_embeddings": False}
    store = PolicyStore(root, RUN, keep=number)
    versions = []
    for step in range(number):
        weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        probe = compute_probe(model, sequences, 1e-4)
        versions.append(store.publish(step, weights, config, probe))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.01 * parameter.std() * torch.randn_like(parameter))
    return versions


@dataclass
class Swaps:
    """`ready_s`: from the announcement until the version has proven itself and serves."""

    pauses_s: list[float] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    """Sequences that the engine decoded just before each swap."""
    submitted: int = 0
    finished: int = 0
    spanning: int = 0
    """Groups that lived through a swap."""
    failed: list[str] = field(default_factory=list)

    @property
    def dropped(self) -> int:
        return self.submitted - self.finished


async def swap_under_load(on: Services, versions: Sequence[PolicyAnnouncement]) -> Swaps:
    """The first version is there before the load begins."""
    found, stop = Swaps(), asyncio.Event()
    async with RolloutClient(on.url("rollout")) as client, asyncio.timeout(TIMEOUT_S):
        await swap(client, versions[0], Swaps())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_busy(client, found, stop))
            await busy(on.engine_url)
            for version in versions[1:]:
                await asyncio.sleep(EVERY_S)
                found.in_flight.append(await running(on.engine_url))
                await swap(client, version, found)
            stop.set()
    return found


async def swap(client: RolloutClient, version: PolicyAnnouncement, found: Swaps) -> None:
    started_s = time.monotonic()
    await client.announce(version)
    replica = await until_served(client, version.version)
    found.ready_s.append(time.monotonic() - started_s)
    assert replica.pause_s is not None
    found.pauses_s.append(replica.pause_s)


async def until_served(client: RolloutClient, version: int) -> PolicyReplica:
    while True:
        for replica in (await client.policy()).replicas:
            if replica.state == "refused":
                raise SystemExit(f"version {version} is refused: {replica.error}")
            if replica.version == version and replica.state == "serving":
                return replica
        await asyncio.sleep(POLL_S)


async def keep_busy(client: RolloutClient, found: Swaps, stop: asyncio.Event) -> None:
    """Submits whenever groups come back; after `stop` waits for those that are out."""
    out = 0
    while out or not stop.is_set():
        if not stop.is_set() and out < NUM_AHEAD:
            number = NUM_AHEAD - out
            await client.submit(request(found.submitted, number))
            found.submitted += number
            out += number
        groups = (await client.finished(RUN, 64, 0.2)).groups
        if not groups:
            continue
        await client.ack(RolloutAck(run_id=RUN, group_ids=[group.group_id for group in groups]))
        out -= len(groups)
        for group in groups:
            if group.error is not None:
                found.failed.append(group.error)
                if len(found.failed) > MAX_FAILED:
                    raise SystemExit(f"the engine keeps failing: {group.error}")
                continue
            assert len(group.completions) == NUM_COMPLETIONS
            found.finished += 1
            found.spanning += len(group.completions[0].policy_versions) > 1


def request(first: int, number: int) -> RolloutRequest:
    return RolloutRequest(run_id=RUN, groups=[prompt(first + index) for index in range(number)])


def prompt(index: int) -> RolloutPrompt:
    num_tokens = MAX_TOKENS[index * 149 % len(MAX_TOKENS)]
    sampling = Sampling(max_tokens=num_tokens)
    return RolloutPrompt(group_id=str(index), prompt=PROMPT, n=NUM_COMPLETIONS, sampling=sampling)


async def busy(engine_url: str) -> None:
    while await running(engine_url) < NUM_IN_FLIGHT:
        await asyncio.sleep(0.1)


async def running(engine_url: str) -> int:
    """What vLLM itself counts."""
    async with aiohttp.ClientSession() as session, session.get(f"{engine_url}/metrics") as answer:
        text = await answer.text()
    lines = [line for line in text.splitlines() if line.startswith("vllm:num_requests_running")]
    return round(sum(float(line.rsplit(" ", 1)[1]) for line in lines))


async def reload_bare(engine_url: str, versions: Sequence[PolicyAnnouncement]) -> list[float]:
    engine = EngineClient(engine_url, TIMEOUT_S, TIMEOUT_S)
    seconds = []
    for version in versions:
        started_s = time.monotonic()
        await engine.reload_weights(version.path)
        seconds.append(time.monotonic() - started_s)
    await engine.aclose()
    return seconds


def read(directory: str) -> float:
    from safetensors.torch import load_file

    started_s = time.monotonic()
    load_file(Path(directory) / WEIGHTS_NAME)
    return time.monotonic() - started_s


def table(swaps: Swaps, bare_s: Sequence[float], read_s: Sequence[float]) -> str:
    limit_s = median(bare_s)
    rows = {
        f"pause, {NUM_IN_FLIGHT} sequences in flight": swaps.pauses_s,
        "announced, verified, loaded, proven": swaps.ready_s,
        "bare `reload_weights`, idle engine": bare_s,
        "reading the file": read_s,
    }
    lines = ["| | median | max | median / bare |", "|---|---:|---:|---:|"]
    for name, seconds in rows.items():
        middle_s = median(seconds)
        cells = [f"{1000 * middle_s:.1f} ms", f"{1000 * max(seconds):.1f} ms"]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {middle_s / limit_s:.2f} |")
    return "\n".join(lines)


def about(swaps: Swaps, num_bytes: int) -> str:
    return (
        f"{len(swaps.pauses_s)} swaps of {num_bytes / 1e6:.1f} MB, {min(swaps.in_flight)} to "
        f"{max(swaps.in_flight)} sequences in flight before each; {swaps.submitted} groups of "
        f"{NUM_COMPLETIONS}: {swaps.finished} finished ({swaps.spanning} of them lived through a "
        f"swap), {swaps.dropped} dropped. {machine()}, load {os.getloadavg()[0]:.1f}."
    )


def verdict(swaps: Swaps) -> int:
    worst_s = max(swaps.pauses_s)
    print(f"dropped {swaps.dropped} (bar 0), longest pause {worst_s:.3f} s (bar {BAR_S} s)")
    for reason in swaps.failed[:5]:
        print(f"failed: {reason}")
    return 0 if swaps.dropped == 0 and worst_s < BAR_S else 1


if __name__ == "__main__":
    main()
