"""Stored verdicts are found again: by run, page by page, of those that one may see."""

import time
from typing import Any

import pytest
from redis.asyncio import Redis

from plaudit.errors import Rejected
from plaudit_judge.ledger import finding, keys
from plaudit_judge.ledger.batch import Batch, write
from plaudit_judge.ledger.call import Call
from plaudit_judge.ledger.finding import Question, find_page
from plaudit_judge.ledger.place import Place

from .calls import call, settings

ALL = ["", "acme", "zeta"]


async def store(redis: Redis, *calls: Call, **fields: Any) -> None:
    await write(redis, settings(**fields), Batch(calls=list(calls)))


async def replies(redis: Redis, max_verdicts: int = 100, **fields: Any) -> list[str]:
    """Of all pages, one after the other."""
    question = Question(**({"run_id": "r", "callers": ALL} | fields))
    found: list[str] = []
    after: Place | None = None
    while True:
        page = await find_page(redis, question, after, max_verdicts)
        assert len(page.verdicts) <= max_verdicts
        found += [verdict.reply for verdict in page.verdicts]
        if page.next is None:
            return found
        after = Place.parse(str(page.next))


@pytest.mark.parametrize("max_verdicts", [1, 3, 100])
@pytest.mark.parametrize("scanned", [2, 5, 1000])
async def test_pages_have_every_verdict_once_and_in_order(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, max_verdicts: int, scanned: int
) -> None:
    """Those of several callers, many of them stored in the same millisecond."""
    monkeypatch.setattr(finding, "_SCANNED", scanned)
    callers = [None, "acme", "zeta", "acme", None, "acme", "acme", "zeta", None, "acme"]
    for number, caller in enumerate(callers):
        await store(redis, call(f"{number}a", caller=caller), call(f"{number}b", caller=caller))
    oldest = await replies(redis, max_verdicts)
    assert sorted(oldest) == sorted(f"{n}{x}" for n in range(10) for x in "ab")
    places = [
        Place.parse(verdict.id)
        for verdict in (await find_page(redis, Question("r", ALL), None, 100)).verdicts
    ]
    assert places == sorted(places)
    assert await replies(redis, max_verdicts, order="newest") == oldest[::-1]


async def test_only_verdicts_of_the_callers_asked_for_are_seen(redis: Redis) -> None:
    await store(redis, call("ours", caller="acme"), call("theirs", caller="zeta"), call("plain"))
    assert await replies(redis, callers=["acme"]) == ["ours"]
    assert await replies(redis, callers=[""]) == ["plain"]
    assert await replies(redis, callers=[]) == []


async def test_verdicts_are_chosen_by_judge_lane_and_verb(redis: Redis) -> None:
    await store(
        redis, call("1"), call("2", lane="eval"), call("3", judge="rule"), call("4", verb="reward")
    )
    assert await replies(redis, lane="eval") == ["2"]
    assert await replies(redis, judge="rule") == ["3"]
    assert await replies(redis, verb="reward") == ["4"]
    assert await replies(redis, verb="reward", lane="eval") == []


async def test_a_filter_that_fits_nothing_ends_every_page_early(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_SCANNED", 5)
    await store(redis, *(call(str(number)) for number in range(12)), call("last", lane="eval"))
    page = await find_page(redis, Question("r", [""], lane="eval"), None, 100)
    assert (page.verdicts, page.next is None) == ([], False)
    assert await replies(redis, lane="eval") == ["last"]


async def test_requests_without_a_run_are_a_run_of_their_own(redis: Redis) -> None:
    await store(redis, call("named"), call("nameless", run_id=None))
    assert await replies(redis, run_id="") == ["nameless"]


async def test_of_a_run_the_newest_verdicts_are_kept(redis: Redis) -> None:
    for start in range(0, 400, 100):
        calls = (call(str(number) + "x" * 3000) for number in range(start, start + 100))
        await store(redis, *calls, verdicts={"max_per_run": 50})
    kept = await replies(redis)
    assert 50 <= len(kept) < 200
    assert kept[-1].startswith("399")


async def test_of_each_caller_the_newest_runs_are_kept(redis: Redis) -> None:
    for number in range(5):
        await store(redis, call("x", run_id=f"r{number}", caller="acme"), verdicts={"max_runs": 2})
    await store(redis, call("x", run_id="r0"), verdicts={"max_runs": 2})
    kept = [await replies(redis, run_id=f"r{n}", callers=["acme"]) for n in range(5)]
    assert kept == [[], [], [], ["x"], ["x"]]
    assert await replies(redis, run_id="r0", callers=[""]) == ["x"]


async def test_what_is_stored_ends_by_age(redis: Redis) -> None:
    await store(redis, call("x"), verdicts={"max_age_s": 100})
    streams = await redis.keys("*:verdicts:*")
    assert [await redis.ttl(stream) for stream in streams] == [100]


async def test_old_verdicts_of_a_run_that_goes_on_end_too(redis: Redis) -> None:
    fields: dict[Any, Any] = {"judge": "local", "lane": "train", "verb": "v", "record": b"?"}
    minutes_ago_ms = int(1000 * (time.time() - 300))
    await redis.xadd(keys.verdicts("", "r"), fields, id=f"{minutes_ago_ms}-0")
    await store(redis, call("x"), verdicts={"max_age_s": 400})
    assert await redis.xlen(keys.verdicts("", "r")) == 2
    await store(redis, call("y"), verdicts={"max_age_s": 200})
    assert await redis.xlen(keys.verdicts("", "r")) == 2
    assert await replies(redis) == ["x", "y"]


async def test_what_this_version_cannot_read_is_left_out(redis: Redis) -> None:
    await store(redis, call("1"))
    [stream] = await redis.keys("*:verdicts:*")
    await redis.xadd(stream, {"judge": "local", "lane": "train", "verb": "v", "record": b"?"})
    await store(redis, call("2"))
    assert await replies(redis) == ["1", "2"]


@pytest.mark.parametrize(
    "after", ["", "1", "1-", "-1", "1-2.UPPER", "1-2.", "٣-1", "1-2-3", "9" * 30 + "-1"]
)
def test_a_place_that_is_none_is_refused(after: str) -> None:
    with pytest.raises(Rejected, match="is no place"):
        Place.parse(after)
