"""Verdicts and costs of the service as it runs."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from plaudit.errors import Forbidden, Rejected
from plaudit.schemas.judge import TournamentRequest
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit.schemas.judge_scores import ListwiseRequest, PointwiseRequest
from plaudit.schemas.judge_verdict import StoredVerdict
from plaudit.service.redis import connect
from plaudit_judge.ledger.batch import Batch, write

from ..conftest import ChatServer, completion
from .calls import call, settings
from .service import CALL_USD, PLAIN, PROMPT, named, pair, serving, spent, stored


async def test_both_votes_of_a_pair_are_stored_with_what_was_sent_and_said(
    redis_url: str, chat: ChatServer
) -> None:
    async with serving(redis_url, chat) as service, service.client() as client:
        response = await client.pairwise(pair(lane="eval", seed=5))
        first, second = await stored(client, "r", 2)
    assert response.usage.cost_usd == pytest.approx(2 * CALL_USD)
    assert first.answers_sha256 == second.answers_sha256[::-1]
    assert {first.winner, second.winner} == {"first", "second"}
    for verdict, asked in ((first, chat.asked[0]), (second, chat.asked[1])):
        assert verdict.rubric == response.rubric
        assert (verdict.verb, verdict.lane, verdict.seed) == ("pairwise", "eval", 5)
        assert (verdict.model, verdict.prompt_tokens) == ("policy-model", 20)
        assert verdict.cost_usd == pytest.approx(CALL_USD)
        assert verdict.latency_s > 0.0
        assert "Winner: response" in verdict.reply
        assert asked["messages"] in ([m.model_dump() for m in v.messages] for v in (first, second))


async def test_a_verdict_that_is_remembered_is_stored_as_such_and_costs_nothing(
    redis_url: str, chat: ChatServer
) -> None:
    async with serving(redis_url, chat) as service, service.client() as client:
        first = await client.pairwise(pair())
        again = await client.pairwise(pair(run_id="again"))
        verdicts = await stored(client, "again", 2)
        report = await spent(client, None, 2 * CALL_USD)
    assert (first.usage.calls, again.usage.calls, again.usage.cost_usd) == (2, 0, 0.0)
    assert [(v.cached, v.calls, v.cost_usd, v.messages) for v in verdicts] == [
        (True, 0, 0.0, [])
    ] * 2
    assert [(cost.calls, cost.cache_hits) for cost in report.costs] == [(2, 2)]


async def test_a_jury_costs_what_each_member_costs_and_is_stored_with_all_they_said(
    redis_url: str, chat: ChatServer
) -> None:
    async with serving(redis_url, chat) as service, service.client() as client:
        response = await client.pairwise(pair("panel", swap=False))
        verdicts = await stored(client, "r", 4)
        report = await spent(client, "r", CALL_USD + 0.02)
    assert response.usage.cost_usd == pytest.approx(CALL_USD + 20 * 0.001)
    assert response.usage.unpriced_calls == 0
    by_judge = {verdict.judge: verdict for verdict in verdicts}
    assert [by_judge[name].member_of for name in ("local", "other", "rule")] == ["panel"] * 3
    assert by_judge["panel"].member_of is None
    assert by_judge["other"].cost_usd == pytest.approx(0.02)
    assert by_judge["local"].messages
    assert [(cost.judge, cost.calls) for cost in report.costs] == [("panel", 2)]
    assert report.cost_usd == pytest.approx(CALL_USD + 0.02)


async def test_a_model_without_a_price_is_unpriced_and_a_rule_is_free(
    redis_url: str, chat: ChatServer
) -> None:
    async with serving(redis_url, chat, prices={}) as service, service.client() as client:
        paid, free = [await client.pairwise(pair(judge)) for judge in ("local", "rule")]
        [verdict, _, _] = await stored(client, "r", 3)
        report = await client.costs("r")
    assert (paid.usage.cost_usd, paid.usage.unpriced_calls) == (0.0, 2)
    assert (free.usage.cost_usd, free.usage.unpriced_calls) == (0.0, 0)
    assert verdict.cost_usd is None
    assert report.unpriced_calls == 2


async def test_rewards_are_stored_one_by_one(redis_url: str, chat: ChatServer) -> None:
    request = JudgeRewardRequest(prompt=PROMPT, judge="rule", responses=["a", "bbb"], run_id="r")
    async with serving(redis_url, chat) as service, service.client() as client:
        await client.reward(request)
        verdicts = await stored(client, "r", 2)
    assert [(v.verb, v.scores, v.winner) for v in verdicts] == [
        ("reward", [1.0], None),
        ("reward", [3.0], None),
    ]


async def test_scores_of_one_answer_and_of_several_are_stored_in_the_order_shown(
    redis_url: str, chat: ChatServer
) -> None:
    chat.behave = lambda body: completion("directness: 5\neconomy: 4\nresult: 2")
    fields: dict[str, Any] = {"prompt": PROMPT, "rubric": "efficiency", "run_id": "r"}
    point = PointwiseRequest(response="1, 2, 3", judge="local", **fields)
    listed = ListwiseRequest(responses=["1", "22"], judge="rule", **fields)
    panel = PointwiseRequest(response="1", judge="panel", votes=2, **fields)
    async with serving(redis_url, chat) as service, service.client() as client:
        graded = await client.pointwise(point)
        [order] = (await client.listwise(listed)).orders
        by_panel = await client.pointwise(panel)
        first, second, *rest = await stored(client, "r", 8)
        report = await spent(client, "r", 3 * CALL_USD + 0.04)
    assert (first.verb, first.scores, first.winner) == ("pointwise", [3.25], None)
    assert (second.verb, second.scores) == ("listwise", [[1.0, 2.0][place] for place in order])
    assert first.rubric == graded.rubric
    assert graded.usage.cost_usd == pytest.approx(CALL_USD)
    assert sorted(v.judge for v in rest) == ["local", "local", "other", "other", "panel", "panel"]
    assert by_panel.usage.cost_usd == pytest.approx(2 * (CALL_USD + 0.02))
    assert report.cost_usd == pytest.approx(3 * CALL_USD + 0.04)


async def test_verdicts_come_in_pages_and_by_judge_lane_and_verb(
    redis_url: str, chat: ChatServer
) -> None:
    async with serving(redis_url, chat) as service, service.client() as client:
        await client.tournament(
            TournamentRequest(
                prompt=PROMPT, responses=list("1234"), rubric="demo", judge="local", run_id="r"
            )
        )
        await client.pairwise(pair("rule", lane="eval"))
        everything = await stored(client, "r", 7)
        with service.client().sync() as sync:
            assert await asyncio.to_thread(lambda: [*sync.export_verdicts("r")]) == everything
        first = await client.verdicts("r", max_verdicts=4)
        second = await client.verdicts("r", max_verdicts=4, after=first.next)
        newest = await client.verdicts("r", order="newest", max_verdicts=1)
        of_rule = await client.verdicts("r", judge="rule")
        of_lane = await client.verdicts("r", lane="eval")
        of_verb = await client.verdicts("r", verb="tournament")
        with pytest.raises(Rejected, match="'x' is no place"):
            await client.verdicts("r", after="x")
    assert first.verdicts + second.verdicts == everything
    assert (len(first.verdicts), second.next) == (4, None)
    assert newest.verdicts == everything[-1:]
    assert [len(page.verdicts) for page in (of_rule, of_lane, of_verb)] == [1, 1, 6]


async def test_the_export_is_a_verdict_in_each_line(redis_url: str, chat: ChatServer) -> None:
    async with serving(redis_url, chat) as service, service.client() as client:
        await client.pairwise(pair())
        expected = await stored(client, "r", 2)
        async with httpx.AsyncClient(base_url=service.url) as http:
            answer = await http.get("/v1/verdicts/export", params={"run_id": "r"})
            empty = await http.get("/v1/verdicts/export", params={"run_id": "other"})
    assert answer.headers["content-type"] == "application/jsonl"
    lines = answer.text.splitlines()
    assert [StoredVerdict.model_validate_json(line) for line in lines] == expected
    assert (empty.status_code, empty.text) == (200, "")


async def test_an_export_whose_reader_goes_away_ends(redis_url: str, chat: ChatServer) -> None:
    """Megabytes, of which the reader takes some."""
    text = os.urandom(3000).hex()
    async with serving(redis_url, chat) as service, service.client() as client:
        async with connect(redis_url) as redis:
            calls = [call(text, run_id="long") for _ in range(800)]
            await write(redis, settings(), Batch(calls=calls))
        async with httpx.AsyncClient(base_url=service.url) as http:
            request = http.stream("GET", "/v1/verdicts/export", params={"run_id": "long"})
            async with request as answer:
                assert len(await anext(answer.aiter_bytes())) > 1000
        assert await client.healthy()
        assert len(await stored(client, "long", 800)) == 800


async def test_a_named_key_sees_its_own_verdicts_and_costs_only(
    redis_url: str, chat: ChatServer, tmp_path: Path
) -> None:
    keys = named(tmp_path, acme={}, zeta={}, poor={"scopes": ["pairwise"]})
    async with serving(redis_url, chat, **keys) as service, AsyncExitStack() as stack:
        callers = (PLAIN, "the-key-of-acme", "the-key-of-zeta", "the-key-of-poor")
        plain, acme, zeta, poor = [
            await stack.enter_async_context(service.client(key)) for key in callers
        ]
        await acme.pairwise(pair())
        await zeta.pairwise(pair("rule"))
        await plain.pairwise(pair("rule", a="99"))
        everything = await stored(plain, "r", 4)
        assert [v.caller for v in await stored(acme, "r", 2)] == ["acme"] * 2
        assert [v.caller for v in await stored(zeta, "r", 1)] == ["zeta"]
        assert [(c.caller, c.calls) for c in (await acme.costs("r")).costs] == [("acme", 2)]
        assert (await zeta.costs()).cost_usd == 0.0
        with pytest.raises(Forbidden):
            await poor.verdicts("r")
        after = everything[0].id
        assert all(v.caller == "zeta" for v in (await zeta.verdicts("r", after=after)).verdicts)
    assert sorted(v.caller or "" for v in everything) == ["", "acme", "acme", "zeta"]
