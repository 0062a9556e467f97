"""What is remembered in Redis, for how long, how much of it, and what happens without Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from dataclasses import replace as replaced

import pytest
from prometheus_client import REGISTRY
from pydantic import TypeAdapter
from redis.asyncio import Redis

from plaudit.errors import Unavailable
from plaudit.schemas.judge import PanelVote
from plaudit.schemas.judge_scores import Grade
from plaudit.testing import free_port
from plaudit_judge.cache import VerdictCache
from plaudit_judge.cache_key import CacheKeys, QuestionKey
from plaudit_judge.cache_store import CLAIM_S, MAX_VALUE_BYTES, CacheStore
from plaudit_judge.judges.base import Opinion, Reply, Scores
from plaudit_judge.judges.openai import OpenAISpec

OPINION, SCORES = TypeAdapter(Opinion), TypeAdapter(Scores)
A_WINS = Opinion("A", Reply("Winner: response A", prompt_tokens=20, completion_tokens=4))
UNPARSED = Opinion(None, Reply("Both are good."))
KEY = QuestionKey("k")


@dataclass
class Endpoint:
    """Says `says` after `delay_s`."""

    says: Opinion = A_WINS
    delay_s: float = 0.0
    num_asked: int = 0
    errors: list[Exception] = field(default_factory=list)

    async def ask(self) -> Opinion:
        self.num_asked += 1
        await asyncio.sleep(self.delay_s)
        if self.errors:
            raise self.errors.pop(0)
        return self.says


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


Open = Callable[..., VerdictCache]


@pytest.fixture
def opened(redis: Redis) -> Open:
    """A cache as another worker opens it."""

    def opened(ttl_s: float = 60.0, max_entries: int = 100, url: str = "") -> VerdictCache:
        store = CacheStore(Redis.from_url(url) if url else redis, "j", ttl_s, max_entries)
        spec = OpenAISpec(base_url="http://one/v1", model="m")
        return VerdictCache("j", CacheKeys("j", spec), store)

    return opened


async def get(cache: VerdictCache, endpoint: Endpoint, key: QuestionKey | None = KEY) -> Opinion:
    return await cache.get_or_ask(key, endpoint.ask, OPINION)


def counted(outcome: str) -> float:
    labels = {"judge": "j", "outcome": outcome}
    return REGISTRY.get_sample_value("plaudit_judge_cache_total", labels) or 0.0


async def test_a_verdict_is_asked_for_once_and_costs_nothing_after_that(
    opened: Open, endpoint: Endpoint
) -> None:
    before = counted("miss"), counted("hit")
    first = await get(opened(), endpoint)
    again = await get(opened(), endpoint)
    assert (first, endpoint.num_asked) == (A_WINS, 1)
    assert again == Opinion("A", Reply("Winner: response A"), calls=0, cache_hit=True)
    assert (counted("miss"), counted("hit")) == (before[0] + 1, before[1] + 1)


async def test_what_a_jury_said_is_remembered_whole(opened: Open, endpoint: Endpoint) -> None:
    panel = [PanelVote(judge="x", winner="a"), PanelVote(judge="y", winner="tie")]
    endpoint.says = replaced(A_WINS, disagreement=0.5, panel=panel, rewards=(1.5, -2.0))
    await get(opened(), endpoint)
    assert await get(opened(), endpoint) == endpoint.says.as_hit()


async def test_scores_are_remembered_too(opened: Open) -> None:
    scores = Scores([Grade(score=4.0, fraction=0.75, reason="Good.")], Reply("4"))

    async def ask() -> Scores:
        return scores

    await opened().get_or_ask(KEY, ask, SCORES)
    assert await opened().get_or_ask(KEY, ask, SCORES) == scores.as_hit()


@pytest.mark.parametrize(
    "says",
    [
        UNPARSED,
        replaced(A_WINS, panel=[PanelVote(judge="x", winner=None, reason="away")]),
        replaced(A_WINS, reply=Reply("x" * MAX_VALUE_BYTES)),
        replaced(A_WINS, reply=Reply("\ud83d")),
        replaced(A_WINS, reply=Reply("Winner: response A", policy_version=4)),
    ],
    ids=[
        "unparsed",
        "a jury whose member was away",
        "too large",
        "no text",
        "of another policy version",
    ],
)
async def test_what_is_not_worth_remembering_is_asked_again(
    opened: Open, endpoint: Endpoint, says: Opinion
) -> None:
    endpoint.says = says
    assert [await get(opened(), endpoint) for _ in range(2)] == [says, says]
    assert endpoint.num_asked == 2


async def test_a_failure_is_not_remembered(opened: Open, endpoint: Endpoint) -> None:
    endpoint.errors = [Unavailable("away")]
    with pytest.raises(Unavailable):
        await get(opened(), endpoint)
    started_s = time.monotonic()
    assert await get(opened(), endpoint) == A_WINS
    assert time.monotonic() - started_s < 0.75 * CLAIM_S


async def test_a_vote_without_a_key_is_asked_and_counted(opened: Open, endpoint: Endpoint) -> None:
    before = counted("off")
    await asyncio.gather(*(get(opened(), endpoint, None) for _ in range(3)))
    assert (endpoint.num_asked, counted("off")) == (3, before + 3)


@pytest.mark.parametrize("junk", [b"", b"{", b'{"seat": "C", "reply": {"text": ""}}', b"\xff"])
async def test_a_corrupt_value_is_asked_for_and_mended(
    opened: Open, endpoint: Endpoint, redis: Redis, junk: bytes
) -> None:
    await redis.set("plaudit:judge:cache:j:value:k", junk)
    assert await get(opened(), endpoint) == A_WINS
    assert (await get(opened(), endpoint)).cache_hit


async def test_verdicts_are_forgotten_in_time(
    opened: Open, endpoint: Endpoint, redis: Redis
) -> None:
    cache = opened(ttl_s=0.05)
    await get(cache, endpoint)
    await asyncio.sleep(0.1)
    assert not (await get(cache, endpoint)).cache_hit
    await asyncio.sleep(0.1)
    assert await redis.keys("plaudit:judge:cache:*") == []


async def test_those_not_used_for_longest_are_dropped(
    opened: Open, endpoint: Endpoint, redis: Redis
) -> None:
    cache = opened(max_entries=3)
    for name in ("1", "2", "3", "1", "4", "5"):
        await get(cache, endpoint, QuestionKey(name))
        await asyncio.sleep(0.002)
    values = await redis.keys("plaudit:judge:cache:j:value:*")
    assert sorted(value.decode()[-1] for value in values) == ["1", "4", "5"]
    assert await redis.zcard("plaudit:judge:cache:j:index") == 3


async def test_two_workers_ask_once(opened: Open, endpoint: Endpoint) -> None:
    endpoint.delay_s = 0.2
    caches = [opened(), opened()]
    found = await asyncio.gather(*(get(cache, endpoint) for cache in caches for _ in range(20)))
    assert endpoint.num_asked == 1
    assert [one.seat for one in found] == ["A"] * 40
    assert sum(one.calls for one in found) == 1


async def test_a_verdict_that_could_not_be_read_does_not_hold_up_the_other_worker(
    opened: Open, endpoint: Endpoint
) -> None:
    endpoint.says, endpoint.delay_s = UNPARSED, 0.05
    started_s = time.monotonic()
    await asyncio.gather(*(get(opened(), endpoint) for _ in range(2)))
    assert endpoint.num_asked == 2
    assert time.monotonic() - started_s < 0.75 * CLAIM_S


async def test_a_call_that_outlasts_its_claim_keeps_it(
    opened: Open, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plaudit_judge.cache_store.CLAIM_S", 0.15)
    endpoint.delay_s = 0.6
    await asyncio.gather(*(get(opened(), endpoint) for _ in range(2)))
    assert endpoint.num_asked == 1


async def test_a_claim_ends_by_itself_from_its_beginning(redis: Redis) -> None:
    seen = await CacheStore(redis, "j", 60.0, 100).look("k", "token")
    assert seen.may_ask
    assert 0 < await redis.pttl("plaudit:judge:cache:j:claim:k") <= 1000 * CLAIM_S


async def test_the_claim_of_the_dead_ends_by_itself(
    opened: Open, endpoint: Endpoint, redis: Redis
) -> None:
    await redis.set("plaudit:judge:cache:j:claim:k", "somebody", px=300)
    assert await get(opened(), endpoint) == A_WINS
    assert await redis.keys("plaudit:judge:cache:j:claim:*") == []


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n" * 8)
    await reader.read()
    writer.close()


@pytest.mark.parametrize("behave", [hangs, refuses, None])
async def test_without_redis_judging_goes_on(
    opened: Open,
    endpoint: Endpoint,
    behave: Callable[..., Awaitable[None]] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plaudit_judge.cache_store._ANSWER_S", 0.2)
    port = free_port()
    server = await asyncio.start_server(behave, "127.0.0.1", port) if behave else None
    cache = opened(url=f"redis://127.0.0.1:{port}")
    failures = "plaudit_judge_cache_failures_total"
    before = REGISTRY.get_sample_value(failures, {"judge": "j"}) or 0.0
    started_s = time.monotonic()
    found = [await get(cache, endpoint) for _ in range(10)]
    assert found == [A_WINS] * 10
    assert time.monotonic() - started_s < 2.0
    assert REGISTRY.get_sample_value(failures, {"judge": "j"}) == before + 1
    if server:
        server.close()
