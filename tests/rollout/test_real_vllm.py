"""The whole service on real vLLM, without a GPU. One pair of engines for all tests here."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from plaudit.schemas.common import Message
from plaudit.schemas.rollout import RolloutPrompt, RolloutRequest, Sampling
from plaudit.testing import free_port
from plaudit_rollout.settings import RolloutSettings

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-rollout" / "bin" / "python"
START_TIMEOUT_S = 400.0
RUN = "real"

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no vLLM: {PYTHON} is missing (make setup)"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import importlib.util

    spec = importlib.util.spec_from_file_location("tiny", Path(__file__).parent / "tiny.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Engine:
    """`plaudit-rollout engine` as a process of its own."""

    def __init__(self, model: Path, directory: Path, replica: int, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / f"engine-{replica}.log"
        sources = [ROOT / "shared/src", ROOT / "services/rollout/src"]
        environment = {
            **{name: value for name, value in os.environ.items() if "PLAUDIT" not in name},
            "PYTHONPATH": os.pathsep.join(map(str, sources)),
            "XDG_CACHE_HOME": str(directory / "cache"),
            # What vLLM finds out of a model class takes seconds, and is the same for all.
            "VLLM_CACHE_ROOT": str(Path.home() / ".cache" / "vllm"),
            "PLAUDIT_ROLLOUT_MODEL": str(model),
            "PLAUDIT_ROLLOUT_MAX_MODEL_TOKENS": "1024",
            "PLAUDIT_ROLLOUT_ENGINE_PORT": str(self.port),
            "PLAUDIT_ROLLOUT_THREADS": "1",
            **settings,
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", "plaudit_rollout.cli", "engine"],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_healthy():
            tail = self.log.read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, f"the supervisor ended: {tail}"
            assert time.monotonic() < deadline, f"not ready: {tail}"
            time.sleep(0.2)

    def core_pid(self) -> int:
        server = self._children(self._process.pid, "vllm")[0]
        return self._children(server, "EngineCore")[0]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def _children(self, pid: int, name: str) -> list[int]:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [
            int(child)
            for child in found
            if name in Path(f"/proc/{child}/cmdline").read_bytes().decode().replace("\0", " ")
        ]

    def _is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def pair(tiny, tmp_path_factory) -> Iterator[list[Engine]]:
    directory = tmp_path_factory.mktemp("engines")
    tiny.save_base(directory / "base")
    # why: the first look at a model class is cached on disk, and two at once may collide.
    base = directory / "base"
    adapters = {"PLAUDIT_ROLLOUT_MAX_LORA_RANK": "8", "PLAUDIT_ROLLOUT_MAX_ADAPTERS": "2"}
    engines = [Engine(base, directory, 0), Engine(base, directory, 1, **adapters)]
    try:
        for engine in engines:
            engine.wait_ready()
        yield engines
    finally:
        for engine in engines:
            engine.stop()


@pytest.fixture
def make_settings(redis_url):
    """Leases that outlive a test that keeps the event loop busy with torch."""

    def make(**values: object) -> RolloutSettings:
        quick = {"port": 0, "drain_timeout_s": 0.2, "lease_s": 10.0, "poll_s": 0.05}
        return RolloutSettings(**{"redis_url": redis_url, **quick, **values})

    return make


@pytest.fixture
def engine(pair) -> Engine:
    return pair[0]


@pytest.fixture
def models(tiny):
    """Version v has the weights of seed v."""
    made = {}

    def get(version: int):
        if version not in made:
            made[version] = tiny.make_model(version)
        return made[version]

    return get


@pytest.fixture
def write_version(tiny, models, tmp_path):
    """Publishes a version; what it returns is to be announced."""

    def write(version: int, **options):
        return tiny.publish(tmp_path / "policy", RUN, version, models(version), **options)

    return write


@pytest.fixture
def release(client, write_version):
    """Publishes and announces a version."""

    async def announce(version: int, **options):
        return await client.announce(write_version(version, **options))

    return announce


def serves(version: int, state: str = "serving", replicas: int = 1):
    wanted = [(version, state)] * replicas
    return lambda policy: [(r.version, r.state) for r in policy.replicas] == wanted


def groups(
    names: list[str], *, text: str = "What is 1 + 2?", n: int = 4, **sampling: object
) -> RolloutRequest:
    prompt = [Message(role="user", content=text)]
    wanted = Sampling(**{"max_tokens": 24, **sampling})
    return RolloutRequest(
        run_id=RUN,
        groups=[RolloutPrompt(group_id=g, prompt=prompt, n=n, sampling=wanted) for g in names],
    )


def expected(tiny, model, group, completion, temperature: float = 1.0) -> list[float]:
    everything = group.prompt_token_ids + completion.token_ids
    start = len(group.prompt_token_ids) - 1
    return tiny.logprobs(model, everything, temperature)[start:]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
async def test_log_probabilities_and_entropies_are_those_of_transformers_at_the_temperature(
    client, engine, make_settings, run_worker, collect, release, tiny, models, temperature
):
    await release(1)
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(groups(["a", "b"], temperature=temperature, entropies=True))
        found = await collect(client, 2, RUN, 60.0)
    worst = 0.0
    for group in found.values():
        assert group.error is None
        assert len({tuple(c.token_ids) for c in group.completions}) > 1
        for completion in group.completions:
            assert completion.policy_versions == [1]
            wanted = expected(tiny, models(1), group, completion, temperature)
            everything = group.prompt_token_ids + completion.token_ids
            start = len(group.prompt_token_ids) - 1
            wanted += tiny.entropies(models(1), everything, temperature)[start:]
            pairs = zip([*completion.logprobs, *completion.entropies], wanted, strict=True)
            worst = max(worst, *(abs(a - b) for a, b in pairs))
    print(f"largest difference at temperature {temperature}: {worst:.2g}")
    assert worst < 1e-4


async def test_temperature_zero_takes_the_likeliest_token(
    client, engine, make_settings, run_worker, collect, release
):
    await release(1)
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(groups(["a"], temperature=0.0, n=3))
        group = (await collect(client, 1, RUN, 60.0))["a"]
    assert len({tuple(completion.token_ids) for completion in group.completions}) == 1


async def test_a_swap_drops_no_request_and_pauses_briefly(
    client,
    engine,
    make_settings,
    run_worker,
    collect,
    release,
    write_version,
    until_policy,
    tiny,
    models,
):
    await release(0)
    # Made before, so that the answers cannot all end while torch makes the next version.
    following = [write_version(version) for version in (1, 2, 3)]
    names = [str(index) for index in range(48)]
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0), 60.0)
        pauses = []
        await client.submit(groups(names, n=8, max_tokens=320))
        started = time.monotonic()
        collecting = asyncio.create_task(collect(client, len(names), RUN, 300.0))
        await asyncio.sleep(0.3)
        for announcement in following:
            await client.announce(announcement)
            state = await until_policy(client, serves(announcement.version), 60.0)
            pauses.append(state.replicas[0].pause_s)
        found = await collecting
        elapsed_s = time.monotonic() - started
        await client.submit(groups(["after"]))
        after = (await collect(client, 1, RUN, 60.0))["after"]
    num_tokens = sum(len(c.token_ids) for group in found.values() for c in group.completions)
    listed = ", ".join(f"{1000 * pause_s:.0f}" for pause_s in pauses)
    print(f"pauses {listed} ms; {num_tokens / elapsed_s:.0f} tokens/s with three swaps")
    assert set(found) == set(names)
    for group in found.values():
        assert group.error is None
        assert len(group.completions) == 8
        for completion in group.completions:
            versions = completion.policy_versions
            assert versions == sorted(set(versions)) and versions
    spanning = [g for g in found.values() if len(g.completions[0].policy_versions) > 1]
    assert spanning, "no request was in flight during a swap"
    assert min(pauses) < 1.0
    assert after.completions[0].policy_versions == [3]
    for completion in after.completions:
        wanted = expected(tiny, models(3), after, completion)
        assert max(abs(a - b) for a, b in zip(completion.logprobs, wanted, strict=True)) < 1e-4


async def test_with_recompute_in_flight_tokens_after_a_swap_are_exactly_of_the_new_version(
    client,
    engine,
    make_settings,
    run_worker,
    collect,
    release,
    write_version,
    until_policy,
    tiny,
    models,
):
    await release(0)
    following = write_version(1)
    # More than run at once: requests are in flight whenever the swap comes.
    names = [str(index) for index in range(12)]
    settings = make_settings(engine_url=engine.url, recompute_in_flight=True, concurrency=4)
    async with run_worker(settings):
        await until_policy(client, serves(0), 60.0)
        await client.submit(groups(names, max_tokens=800))
        await asyncio.sleep(0.3)
        await client.announce(following)
        found = await collect(client, len(names), RUN, 300.0)
    spanning = [
        (group, completion)
        for group in found.values()
        for completion in group.completions
        if completion.policy_versions == [0, 1] and len(completion.token_ids) > 200
    ]
    assert spanning, "no request was in flight during the swap"
    for group, completion in spanning:
        old = agreements(expected(tiny, models(0), group, completion), completion)
        new = agreements(expected(tiny, models(1), group, completion), completion)
        num_old = old.index(False) if False in old else len(old)
        assert all(new[num_old:]), f"tokens from {num_old} on are of neither version"


def agreements(wanted: list[float], completion) -> list[bool]:
    pairs = zip(completion.logprobs, wanted, strict=True)
    return [abs(actual - expected) < 1e-4 for actual, expected in pairs]


async def test_the_prefix_cache_of_old_weights_is_never_used_for_new_ones(
    client, engine, make_settings, run_worker, collect, release, until_policy, tiny, models
):
    """The prompt fills several cache blocks; a block of version 0 would falsify version 1."""
    prompt = "one two three four five " * 30
    async with run_worker(make_settings(engine_url=engine.url)):
        for version in (0, 1):
            await release(version)
            await until_policy(client, serves(version), 60.0)
            for repeat in ("first", "cached"):
                name = f"{version}/{repeat}"
                await client.submit(groups([name], text=prompt, n=2))
                group = (await collect(client, 1, RUN, 60.0))[name]
                for completion in group.completions:
                    wanted = expected(tiny, models(version), group, completion)
                    pairs = zip(completion.logprobs, wanted, strict=True)
                    assert max(abs(a - b) for a, b in pairs) < 1e-4, name


async def test_adapters_serve_beside_each_other_and_each_request_keeps_its_own(
    client, pair, make_settings, run_worker, collect, until_policy, tiny, tmp_path
):
    """The engine's weights are none of the run's before it, and whole ones follow."""
    base = tiny.publish(tmp_path / "base", RUN, 0, tiny.make_model(20))
    adapted = {version: tiny.make_adapted(20, version) for version in range(4)}
    names = [str(index) for index in range(12)]

    async def announce(version: int) -> None:
        made = tiny.publish_adapter(tmp_path / "policy", RUN, version, adapted[version], base)
        await client.announce(made)
        await until_policy(client, serves(version), 60.0)

    async with run_worker(make_settings(engine_url=pair[1].url, max_adapters=2)):
        await announce(0)
        await client.submit(groups(names, max_tokens=160))
        for version in (1, 2, 3):
            await asyncio.sleep(0.3)
            await announce(version)
        await client.submit(groups(["after"]))
        found = await collect(client, len(names) + 1, RUN, 300.0)
        whole = tiny.publish(tmp_path / "policy", RUN, 4, tiny.make_model(21))
        await client.announce(whole)
        await until_policy(client, serves(4), 60.0)
    assert found["after"].completions[0].policy_versions == [3]
    assert found["0"].completions[0].policy_versions == [0], "it was in flight during three loads"
    for group in found.values():
        assert group.error is None
        for completion in group.completions:
            [version] = completion.policy_versions
            wanted = expected(tiny, adapted[version], group, completion)
            pairs = zip(completion.logprobs, wanted, strict=True)
            assert max(abs(a - b) for a, b in pairs) < 1e-4


async def test_a_version_without_its_output_layer_is_refused_by_the_probe(
    client, engine, make_settings, run_worker, collect, release, until_policy, tiny, models
):
    """The trap of tied embeddings: vLLM answers 200 and keeps the old layer. Requests are in
    flight all the time, and none carries a token of those weights."""
    names = [str(index) for index in range(16)]
    await release(0)
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0), 60.0)
        await client.submit(groups(names, max_tokens=200))
        await asyncio.sleep(0.3)
        await release(1, drop="lm_head.weight")
        state = await until_policy(client, serves(0, "refused"), 60.0)
        assert "log-probabilities differ" in state.replicas[0].error
        found = await collect(client, len(names), RUN, 300.0)
        await release(2)
        await until_policy(client, serves(2), 60.0)
    for group in found.values():
        for completion in group.completions:
            assert completion.policy_versions == [0]
            wanted = expected(tiny, models(0), group, completion)
            pairs = zip(completion.logprobs, wanted, strict=True)
            assert max(abs(a - b) for a, b in pairs) < 1e-4


async def test_corrupt_and_half_written_versions_are_refused_while_the_old_one_serves(
    client,
    engine,
    make_settings,
    run_worker,
    collect,
    until_policy,
    release,
    tiny,
    models,
    tmp_path,
):
    await release(0)
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0), 60.0)
        half = tiny.publish(tmp_path / "policy", RUN, 1, models(1))
        (Path(half.path) / "manifest.json").unlink()
        bad = tiny.publish(tmp_path / "policy", RUN, 2, models(2))
        weights = Path(bad.path) / "model.safetensors"
        raw = bytearray(weights.read_bytes())
        raw[-1] ^= 1
        weights.write_bytes(raw)
        for announcement, reason in ((half, "half-written"), (bad, "does not match its sha256")):
            await client.announce(announcement)
            state = await until_policy(
                client, lambda p, reason=reason: reason in (p.replicas[0].error or ""), 60.0
            )
            assert (state.replicas[0].version, state.replicas[0].state) == (0, "refused")
            name = f"while {announcement.version}"
            await client.submit(groups([name]))
            group = (await collect(client, 1, RUN, 60.0))[name]
            assert group.completions[0].policy_versions == [0]


async def test_prompts_that_cannot_be_generated_come_back_with_a_reason(
    client, engine, make_settings, run_worker, collect, release
):
    await release(0)
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(groups(["long"], text="x" * 2000))
        system = [Message(role="system", content="no"), Message(role="user", content="hi")]
        refused = RolloutPrompt(group_id="system", prompt=system, n=1)
        await client.submit(RolloutRequest(run_id=RUN, groups=[refused]))
        found = await collect(client, 2, RUN, 60.0)
    assert "has 2003 tokens and the engine's context 1024" in found["long"].error
    assert "no system prompts here" in found["system"].error


@pytest.fixture
async def both(pair, make_settings, run_worker):
    """A worker beside each of the two engines."""
    async with AsyncExitStack() as stack:
        for name, engine in zip(("east", "west"), pair, strict=True):
            settings = make_settings(engine_url=engine.url, replica_id=name, concurrency=4)
            await stack.enter_async_context(run_worker(settings))
        yield


async def test_two_replicas_share_the_load_by_pulling(client, both, collect, release, until_policy):
    names = [str(index) for index in range(60)]
    await release(0)
    await until_policy(client, serves(0, replicas=2), 60.0)
    await client.submit(groups(names, max_tokens=100))
    found = await collect(client, len(names), RUN, 300.0)
    assert {group.replica_id for group in found.values()} == {"east", "west"}


async def test_sigkill_of_the_engine_core_loses_no_group_and_duplicates_none(
    client, engine, make_settings, run_worker, collect, release, until_policy, tiny, models
):
    """It is killed in the middle of it, and comes back at the newest version.

    The server is killed in a whole run, in tests/e2e/faults.
    """
    names = [str(index) for index in range(60)]
    await release(0)
    async with run_worker(make_settings(engine_url=engine.url, concurrency=4)):
        await until_policy(client, serves(0), 60.0)
        await client.submit(groups(names, max_tokens=100))
        found = await collect(client, 1, RUN, 60.0)
        collecting = asyncio.create_task(collect(client, len(names) - len(found), RUN, 500.0))
        killed = time.monotonic()
        os.kill(engine.core_pid(), signal.SIGKILL)
        await until_policy(client, lambda p: [r.state for r in p.replicas] == ["down"], 60.0)
        await release(1)
        await until_policy(client, serves(1), START_TIMEOUT_S)
        print(f"the replica serves again {time.monotonic() - killed:.1f} s after SIGKILL")
        rest = await collecting
    assert not set(rest) & set(found)
    assert set(rest) | set(found) == set(names)
    used = set()
    for group in (found | rest).values():
        assert group.error is None
        [version] = group.completions[0].policy_versions
        used.add(version)
        wanted = expected(tiny, models(version), group, group.completions[0])
        pairs = zip(group.completions[0].logprobs, wanted, strict=True)
        assert max(abs(a - b) for a, b in pairs) < 1e-4
    assert used == {0, 1}
