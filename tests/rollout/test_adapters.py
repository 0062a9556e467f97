"""Versions that are adapters, against a stand-in for vLLM whose weights are one number."""

import asyncio
from pathlib import Path

import pytest

from plaudit.schemas.common import Message
from plaudit.schemas.rollout import RolloutPrompt, RolloutRequest

BASE = -1.0


def request(*group_ids: str) -> RolloutRequest:
    prompt = [Message(role="user", content="hi")]
    groups = [RolloutPrompt(group_id=name, prompt=prompt, n=2) for name in group_ids]
    return RolloutRequest(run_id="run", groups=groups)


def serves(version: int | None, state: str = "serving"):
    def check(policy) -> bool:
        return [(r.version, r.state) for r in policy.replicas] == [(version, state)]

    return check


@pytest.fixture
def base(publish):
    return publish(0, value=BASE, name="base")


@pytest.fixture
def release(client, publish, base):
    """Announces an adapter to the base; its number is minus its version."""

    async def announce(version: int, *, claimed: float | None = None):
        value = -float(version)
        said = BASE + value if claimed is None else claimed
        published = publish(version, value=value, claimed=said, base=base)
        await client.announce(published)
        return published

    return announce


async def started(engine, num_requests: int = 1) -> None:
    """So many requests have reached the engine."""
    while len(engine.salts) < num_requests:
        await asyncio.sleep(0.01)


async def hold_in_flight(client, engine, group_id: str) -> None:
    """A request has reached the engine, which ends none until `finish` is set."""
    engine.finish.clear()
    await client.submit(request(group_id))
    await started(engine)


async def test_the_base_is_loaded_once_and_adapters_over_it_without_a_pause(
    client, engines, make_settings, run_worker, release, base, collect, until_policy
):
    engine = await engines()
    await release(0)
    async with run_worker(make_settings(engine_url=engine.url)):
        for version in (0, 1, 2):
            if version:
                await release(version)
            state = await until_policy(client, serves(version))
            await client.submit(request(f"of {version}"))
            group = (await collect(client, 1))[f"of {version}"]
            assert group.completions[0].logprobs == [BASE - version] * 2
            assert group.completions[0].policy_versions == [version]
    assert engine.loaded == [base.path]
    assert state.replicas[0].pause_s == 0.0


async def test_a_request_in_flight_keeps_the_adapter_that_it_began_with(
    client, engines, make_settings, run_worker, release, collect, until_policy
):
    engine = await engines()
    await release(1)
    async with run_worker(make_settings(engine_url=engine.url, max_adapters=1)):
        await until_policy(client, serves(1))
        await hold_in_flight(client, engine, "old")
        await release(2)
        await until_policy(client, serves(2))
        await client.submit(request("new"))
        await started(engine, 2)
        assert not engine.unloaded, "a request is in flight under the old one"
        engine.finish.set()
        groups = await collect(client, 2)
        await release(3)
        await until_policy(client, serves(3))
    assert groups["old"].completions[0].policy_versions == [1]
    assert groups["old"].completions[0].logprobs == [BASE - 1.0] * 2
    assert groups["new"].completions[0].policy_versions == [2]
    assert groups["new"].completions[0].logprobs == [BASE - 2.0] * 2
    assert len(set(engine.salts)) == 2
    assert [name.partition("-")[0] for name in engine.unloaded] == ["v1", "v2"]
    assert len(engine.adapters) == 1


async def test_an_adapter_that_fails_the_probe_touches_no_request(
    client, engines, make_settings, run_worker, release, collect, until_policy
):
    engine = await engines()
    await release(1)
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(1))
        await hold_in_flight(client, engine, "in flight")
        await release(2, claimed=-9.0)
        state = await until_policy(client, serves(1, "refused"))
        engine.finish.set()
        group = (await collect(client, 1))["in flight"]
    assert "log-probabilities differ" in state.replicas[0].error
    assert [name.partition("-")[0] for name in engine.unloaded] == ["v2"], "others may ask it"
    assert engine.num_generated == 1, "nothing was generated again"
    assert group.completions[0].policy_versions == [1]


async def test_an_engine_that_restarted_gets_the_base_again(
    client, engines, make_settings, run_worker, release, base, until_policy
):
    engine = await engines()
    await release(1)
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(1))
        await engine.restart()
        await until_policy(client, lambda policy: policy.replicas[0].num_loads == 2)
        await until_policy(client, serves(1))
    assert engine.loaded == [base.path] * 2


async def test_a_base_that_is_corrupt_serves_nothing(
    client, engines, make_settings, run_worker, release, base, until_policy
):
    engine = await engines()
    (Path(base.path) / "model.safetensors").write_text("-7.0")
    await release(1)
    async with run_worker(make_settings(engine_url=engine.url)):
        state = await until_policy(client, serves(None, "refused"))
    assert "the weights beneath the adapter" in state.replicas[0].error
    assert "does not match its sha256" in state.replicas[0].error
    assert engine.loaded == []


async def test_a_base_outside_of_the_policy_root_is_never_loaded(
    client, engines, make_settings, run_worker, release, until_policy
):
    engine = await engines()
    announced = await release(1)
    settings = make_settings(engine_url=engine.url, policy_root=Path(announced.path))
    async with run_worker(settings):
        state = await until_policy(client, serves(None, "refused"))
    assert "is not below policy_root" in state.replicas[0].error
    assert engine.loaded == []


async def test_an_engine_without_adapters_is_told_what_to_set(
    client, engines, make_settings, run_worker, release, until_policy
):
    engine = await engines()
    engine.max_lora_rank = 0
    await release(1)
    async with run_worker(make_settings(engine_url=engine.url)):
        state = await until_policy(client, serves(None, "refused"))
    assert "PLAUDIT_ROLLOUT_MAX_LORA_RANK" in state.replicas[0].error


async def test_whole_weights_after_adapters_spoil_what_is_in_flight(
    client, engines, make_settings, run_worker, release, publish, collect, until_policy
):
    """It would go on as an adapter over weights that it was not made for."""
    engine = await engines()
    await release(1)
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(1))
        await hold_in_flight(client, engine, "in flight")
        await client.announce(publish(2, value=-5.0))
        await until_policy(client, serves(2))
        engine.finish.set()
        group = (await collect(client, 1))["in flight"]
    assert group.completions[0].policy_versions == [2]
    assert group.completions[0].logprobs == [-5.0, -5.0]
    assert engine.num_generated == 2
