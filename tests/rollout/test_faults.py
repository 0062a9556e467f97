"""SIGKILL of real processes and of Redis: all groups come, each once, soon."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from plaudit.client import RolloutClient
from plaudit.errors import Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.rollout import RolloutAck, RolloutPrompt, RolloutRequest
from plaudit.testing import RedisServer, free_port, redis_process

pytestmark = [pytest.mark.timeout(180)]

RECOVERY_S = 60.0


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_process(appendonly=True) as server:
        yield server


class Service:
    """`plaudit-rollout <command>` as a process that can be killed and started again."""

    def __init__(self, command: str, environment: dict[str, str]) -> None:
        self._arguments = [sys.executable, "-m", "plaudit_rollout.cli", command]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._arguments, env=self._environment, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()


@pytest.fixture
def start(redis: RedisServer) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def run(command: str, **settings: object) -> Service:
        values = {f"PLAUDIT_ROLLOUT_{key.upper()}": str(v) for key, v in settings.items()}
        values |= {"PLAUDIT_REDIS_URL": redis.url, "PLAUDIT_ROLLOUT_DRAIN_TIMEOUT_S": "1"}
        inherited = {name: v for name, v in os.environ.items() if not name.startswith("PLAUDIT")}
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        service = Service(command, inherited | path | values)
        service.start()
        started.append(service)
        return service

    yield run
    for service in started:
        service.kill()


class Consumer:
    """Submits until accepted and collects for ever, as a conductor does."""

    def __init__(self, client: RolloutClient) -> None:
        self._client = client
        self.times: dict[str, float] = {}
        self.repeated: list[str] = []

    async def submit(self, names: list[str]) -> None:
        prompt = [Message(role="user", content="hi")]
        groups = [RolloutPrompt(group_id=name, prompt=prompt, n=2) for name in names]
        while True:
            try:
                await self._client.submit(RolloutRequest(run_id="run", groups=groups))
                return
            except Unavailable:
                await asyncio.sleep(0.1)

    async def collect(self) -> None:
        while True:
            with suppress(Unavailable):
                for group in (await self._client.finished("run", 8, 0.5)).groups:
                    assert group.error is None
                    ack = RolloutAck(run_id="run", group_ids=[group.group_id])
                    if (await self._client.ack(ack)).acked:
                        if group.group_id in self.times:
                            self.repeated.append(group.group_id)
                        self.times[group.group_id] = time.monotonic()


@pytest.mark.parametrize("victim", ["worker", "api", "redis"])
async def test_after_a_sigkill_every_group_comes_once(
    victim, redis, start, engines, publish, until_policy
):
    engine = await engines(seconds_per_request=0.2)
    port = free_port()
    services = {
        "api": start("api", port=port),
        "worker": start("worker", engine_url=engine.url, concurrency=4),
    }
    names = [str(index) for index in range(120)]
    async with RolloutClient(f"http://127.0.0.1:{port}") as client:
        consumer = Consumer(client)
        await consumer.submit(names)
        await client.announce(publish(0))
        collecting = asyncio.create_task(consumer.collect())
        async with asyncio.timeout(60.0):
            while len(consumer.times) < 20:
                await asyncio.sleep(0.02)
        services.get(victim, redis).restart()
        restarted = time.monotonic()
        async with asyncio.timeout(90.0):
            while len(consumer.times) < len(names):
                assert not collecting.done(), collecting.result()
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        collecting.cancel()
        policy = await client.policy()
    after = [moment for moment in consumer.times.values() if moment > restarted + 0.5]
    print(f"{victim}: first group {min(after) - restarted:.1f} s after the restart")
    assert min(after) - restarted < RECOVERY_S
    assert set(consumer.times) == set(names)
    assert consumer.repeated == []
    assert policy.announced is not None
    assert [replica.version for replica in policy.replicas] == [0]
