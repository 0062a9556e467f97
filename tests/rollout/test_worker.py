"""The worker against a stand-in for vLLM: everything that a real one does only when it breaks."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from plaudit.errors import Rejected
from plaudit.queue import WorkQueue
from plaudit.schemas.common import Message
from plaudit.schemas.rollout import RolloutPrompt, RolloutRequest
from plaudit.testing import free_port
from plaudit_rollout.settings import QUEUE_NAME
from plaudit_rollout.worker import work


def request(*group_ids: str, text: str = "hi", run_id: str = "run", n: int = 2) -> RolloutRequest:
    prompt = [Message(role="user", content=text)]
    groups = [RolloutPrompt(group_id=name, prompt=prompt, n=n) for name in group_ids]
    return RolloutRequest(run_id=run_id, groups=groups)


def serves(version: int | None, state: str = "serving"):
    def check(policy) -> bool:
        return [(r.version, r.state) for r in policy.replicas] == [(version, state)]

    return check


@pytest.fixture
def versions_of():
    def read(group) -> list[list[int]]:
        return [completion.policy_versions for completion in group.completions]

    return read


async def test_a_group_carries_all_that_training_needs(
    client, engines, make_settings, run_worker, publish, collect
):
    engine = await engines()
    await client.announce(publish(4, value=-1.5))
    async with run_worker(make_settings(engine_url=engine.url, replica_id="east")):
        await client.submit(request("0/1", n=3))
        group = (await collect(client, 1))["0/1"]
    assert (group.run_id, group.replica_id, group.error) == ("run", "east", None)
    assert group.prompt_token_ids == list(b"hi")
    assert len(group.completions) == 3
    for completion in group.completions:
        assert completion.token_ids == [1, 2]
        assert completion.logprobs == [-1.5, -1.5]
        assert completion.finish_reason == "stop"
        assert completion.policy_versions == [4]
    assert group.queued_s >= 0.0
    assert group.generate_s > 0.0


async def test_without_an_announcement_the_base_model_generates_under_no_version(
    client, engines, make_settings, run_worker, collect, until_policy, versions_of
):
    engine = await engines()
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(None))
        await client.submit(request("a"))
        assert versions_of((await collect(client, 1))["a"]) == [[], []]


async def test_a_request_that_lives_through_a_swap_names_both_versions(
    client, engines, make_settings, run_worker, publish, collect, until_policy, versions_of
):
    engine = await engines()
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        engine.finish.clear()
        await client.submit(request("a"))
        while not engine.salts:
            await asyncio.sleep(0.01)
        await client.announce(publish(1, value=-2.0))
        state = await until_policy(client, serves(1))
        assert 0.0 < state.replicas[0].pause_s < 5.0
        assert state.replicas[0].num_loads == 2
        await client.submit(request("b"))
        engine.finish.set()
        groups = await collect(client, 2)
    assert versions_of(groups["a"]) == [[0, 1]] * 2
    assert versions_of(groups["b"]) == [[1]] * 2
    assert groups["b"].completions[0].logprobs == [-2.0, -2.0]
    assert len(set(engine.salts)) == 2


async def test_the_newest_version_is_loaded_and_those_before_it_are_skipped(
    client, engines, make_settings, run_worker, publish, until_policy
):
    engine = await engines()
    for version in range(5):
        await client.announce(publish(version))
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(4))
    assert [path.rsplit("/", 1)[1] for path in engine.loaded] == ["v4"]


async def test_a_version_that_fails_the_probe_is_refused_and_the_old_one_serves_on(
    client, engines, make_settings, run_worker, publish, collect, until_policy, versions_of
):
    engine = await engines()
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0))
        await client.announce(publish(1, value=-2.0, claimed=-2.001))
        state = await until_policy(client, serves(0, "refused"))
        assert "version 1 is refused" in state.replicas[0].error
        assert "differ from the published ones by up to 0.001" in state.replicas[0].error
        await client.submit(request("a"))
        group = (await collect(client, 1))["a"]
        assert group.completions[0].logprobs == [-1.0, -1.0]
        assert versions_of(group) == [[0]] * 2
        num_loaded = len(engine.loaded)
        await asyncio.sleep(0.3)
        assert len(engine.loaded) == num_loaded, "a refused version is not tried again"
        await client.announce(publish(2, value=-3.0))
        state = await until_policy(client, serves(2))
        assert state.replicas[0].error is None


async def test_what_ran_on_refused_weights_is_generated_again(
    client, engines, make_settings, run_worker, publish, collect, until_policy, versions_of
):
    engine = await engines()
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0))
        engine.finish.clear()
        await client.submit(request("a"))
        while not engine.salts:
            await asyncio.sleep(0.01)
        await client.announce(publish(1, value=-2.0, claimed=-9.0))
        await until_policy(client, serves(0, "refused"))
        engine.finish.set()
        group = (await collect(client, 1))["a"]
    assert engine.num_generated == 2
    assert engine.aborts == 1
    assert versions_of(group) == [[0]] * 2
    assert group.completions[0].logprobs == [-1.0, -1.0]
    assert len(set(engine.salts)) == 2, "the prefix cache may hold what the bad weights computed"


async def test_a_load_that_fails_half_way_brings_the_old_version_back(
    client, engines, make_settings, run_worker, publish, collect, until_policy
):
    engine = await engines()
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0))
        engine.fail_reload = True
        await client.announce(publish(1, value=-2.0))
        state = await until_policy(client, serves(0, "refused"))
        assert "shapes differ" in state.replicas[0].error
        await client.submit(request("a"))
        assert (await collect(client, 1))["a"].completions[0].logprobs == [-1.0, -1.0]


async def test_a_corrupt_version_never_touches_the_engine(
    client, engines, make_settings, run_worker, publish, until_policy
):
    engine = await engines()
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0))
        bad = publish(1).model_copy(update={"manifest_sha256": "0" * 64})
        await client.announce(bad)
        state = await until_policy(client, serves(0, "refused"))
        assert "not the manifest that was announced" in state.replicas[0].error
    assert len(engine.loaded) == 1
    assert engine.running.is_set()


async def test_a_first_version_that_cannot_be_proven_serves_nothing(
    client, engines, make_settings, run_worker, publish, collect, until_policy
):
    engine = await engines()
    await client.announce(publish(0, claimed=-9.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(None, "refused"))
        await client.submit(request("a"))
        assert (await client.finished("run", 1, 0.5)).groups == []
        assert engine.salts == []
        await client.announce(publish(1))
        assert (await collect(client, 1))["a"].completions[0].policy_versions == [1]


async def test_a_new_replica_starts_with_the_last_proven_version_when_the_newest_is_bad(
    client, engines, make_settings, run_worker, publish, until_policy
):
    engine = await engines()
    settings = make_settings(engine_url=engine.url)
    await client.announce(publish(0))
    async with run_worker(settings):
        await until_policy(client, serves(0))
    await client.announce(publish(1, claimed=-9.0))
    async with run_worker(settings):
        await until_policy(client, serves(0, "refused"))


async def test_an_engine_that_restarted_serves_nothing_before_the_version_is_back(
    client, engines, make_settings, run_worker, publish, collect, until_policy
):
    engine = await engines()
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0))
        await engine.restart()
        names = [str(index) for index in range(20)]
        await client.submit(request(*names))
        groups = await collect(client, 20)
    for group in groups.values():
        assert group.completions[0].logprobs == [-1.0, -1.0]
        assert group.completions[0].policy_versions == [0]
    assert len(engine.loaded) == 2


async def test_a_restart_that_nobody_noticed_in_time_is_found_before_a_group_is_stamped(
    client, engines, make_settings, run_worker, publish, collect, until_policy
):
    """The worker looks so rarely that only the stamp of the engine can tell."""
    engine = await engines()
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url, poll_s=30.0)):
        await until_policy(client, serves(0))
        await engine.restart()
        await client.submit(request("a"))
        group = (await collect(client, 1))["a"]
    assert engine.num_generated >= 2, "what the base weights produced was not thrown away"
    assert group.completions[0].logprobs == [-1.0, -1.0]


async def test_jobs_of_a_lost_engine_run_elsewhere_and_count_no_attempt(
    client, engines, make_settings, run_worker, publish, collect, until_policy, redis_url
):
    first, second = await engines(), await engines()
    await client.announce(publish(0))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            run_worker(make_settings(engine_url=first.url, replica_id="first"))
        )
        await until_policy(client, serves(0))
        await first.stop()
        await until_policy(client, serves(None, "down"))
        await client.submit(request("a"))
        assert (await client.finished("run", 1, 0.3)).groups == []
        async with Redis.from_url(redis_url) as redis:
            queue = WorkQueue(redis, QUEUE_NAME)
            record = await queue.record("run/a")
            await queue.aclose()
        assert (record.status, record.deliveries) == ("queued", 0)
        await stack.enter_async_context(
            run_worker(make_settings(engine_url=second.url, replica_id="second"))
        )
        assert (await collect(client, 1))["a"].replica_id == "second"


async def test_a_group_that_kills_its_engine_every_time_comes_back_with_an_error(
    client, engines, make_settings, run_worker, publish, collect
):
    engine = await engines()
    await client.announce(publish(0))
    engine.fail_generate = 1000
    async with run_worker(make_settings(engine_url=engine.url, max_deliveries=2)):
        await client.submit(request("poison"))
        group = (await collect(client, 1))["poison"]
    assert group.completions == []
    assert "given up after 2 attempts" in group.error
    assert "EngineDeadError" in group.error


async def test_a_dead_engine_core_is_found_at_once_and_uses_up_few_attempts(
    client, engines, make_settings, run_worker, publish, collect, until_policy
):
    """Its server goes on answering 500 until the supervisor starts both again."""
    engine = await engines()
    await client.announce(publish(0))
    async with run_worker(make_settings(engine_url=engine.url, max_deliveries=2)):
        await until_policy(client, serves(0))
        engine.is_dead = True
        await client.submit(request("a"))
        await until_policy(client, serves(None, "down"), 5.0)
        await asyncio.sleep(1.5)
        await engine.restart()
        assert (await collect(client, 1))["a"].error is None


async def test_one_failed_request_is_tried_again(
    client, engines, make_settings, run_worker, publish, collect
):
    engine = await engines()
    await client.announce(publish(0))
    engine.fail_generate = 1
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(request("a"))
        assert (await collect(client, 1))["a"].error is None


async def test_what_the_engine_refuses_comes_back_with_its_reason(
    client, engines, make_settings, run_worker, publish, collect
):
    engine = await engines()
    await client.announce(publish(0))
    engine.refuse_generate = True
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(request("a"))
        group = (await collect(client, 1))["a"]
    assert "no such parameter" in group.error
    assert len(engine.salts) == 1


async def test_a_prompt_that_fills_the_context_comes_back_with_both_lengths(
    client, engines, make_settings, run_worker, publish, collect
):
    engine = await engines()
    await client.announce(publish(0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(request("long", text="x" * 64))
        await client.submit(request("fits", text="x" * 63))
        groups = await collect(client, 2)
    assert "has 64 tokens and the engine's context 64" in groups["long"].error
    assert "PLAUDIT_ROLLOUT_MAX_MODEL_TOKENS" in groups["long"].error
    assert groups["fits"].error is None
    assert len(engine.salts) == 1


async def test_a_group_over_max_group_bytes_comes_back_with_an_error(
    client, engines, make_settings, run_worker, publish, collect
):
    engine = await engines()
    await client.announce(publish(0))
    async with run_worker(make_settings(engine_url=engine.url, max_group_bytes=1024)):
        await client.submit(request("a", n=64))
        assert "max_group_bytes = 1024" in (await collect(client, 1))["a"].error


async def test_two_workers_share_the_load_by_pulling(
    client, engines, make_settings, run_worker, publish, collect, until_policy
):
    slow, fast = await engines(seconds_per_request=0.2), await engines(seconds_per_request=0.02)
    await client.announce(publish(0))
    async with AsyncExitStack() as stack:
        for name, engine in (("slow", slow), ("fast", fast)):
            settings = make_settings(engine_url=engine.url, replica_id=name, concurrency=4)
            await stack.enter_async_context(run_worker(settings))
        await until_policy(client, lambda p: [r.version for r in p.replicas] == [0, 0])
        await client.submit(request(*(str(index) for index in range(100))))
        groups = await collect(client, 100)
    by_replica = [group.replica_id for group in groups.values()]
    assert by_replica.count("slow") >= 4
    assert by_replica.count("fast") > 2 * by_replica.count("slow")


async def test_an_engine_that_a_dead_worker_left_paused_is_resumed(
    client, engines, make_settings, run_worker, collect
):
    engine = await engines()
    engine.running.clear()
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(request("a"))
        assert (await collect(client, 1))["a"].error is None


async def test_a_new_worker_trusts_no_weights_that_another_one_loaded(
    client, engines, make_settings, run_worker, publish, collect
):
    engine = await engines()
    engine.stamp, engine.value = "somebody else", -7.0
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(request("a"))
        assert (await collect(client, 1))["a"].completions[0].logprobs == [-1.0, -1.0]


async def test_another_run_never_sees_the_last_runs_weights_under_its_versions(
    client, engines, make_settings, run_worker, publish, collect, until_policy
):
    engine = await engines()
    await client.announce(publish(0, value=-1.0))
    async with run_worker(make_settings(engine_url=engine.url)):
        await until_policy(client, serves(0))
        await client.announce(publish(0, run_id="next", claimed=-9.0))
        await until_policy(client, serves(None, "refused"))
        await client.submit(request("a", run_id="next"))
        assert (await client.finished("next", 1, 0.3)).groups == []
        await client.announce(publish(1, run_id="next", value=-5.0))
        group = (await collect(client, 1, "next"))["a"]
    assert group.completions[0].logprobs == [-5.0, -5.0]


async def test_unfinished_groups_are_handed_back_when_the_worker_stops(
    client, engines, make_settings, run_worker, publish, collect, until_policy
):
    engine = await engines()
    await client.announce(publish(0))
    engine.finish.clear()
    settings = make_settings(engine_url=engine.url, lease_s=60.0)
    async with run_worker(settings):
        await client.submit(request("a"))
        while not engine.salts:
            await asyncio.sleep(0.01)
    assert (await client.policy()).replicas == []
    engine.finish.set()
    async with run_worker(settings):
        await collect(client, 1, timeout_s=5.0)


async def test_a_worker_waits_visibly_for_its_engine(
    client, make_settings, run_worker, until_policy
):
    url = f"http://127.0.0.1:{free_port()}"
    async with run_worker(make_settings(engine_url=url)):
        state = await until_policy(client, serves(None, "starting"))
        state = await until_policy(client, lambda policy: policy.replicas[0].error is not None)
    assert f"vLLM at {url} cannot be connected to" in state.replicas[0].error


async def test_a_vllm_without_its_development_endpoints_is_named(api, make_settings):
    """Any server that answers 404 will do: the rollout API itself."""
    with pytest.raises(Rejected, match="VLLM_SERVER_DEV_MODE=1"):
        await work(make_settings(engine_url=api), asyncio.Event())
