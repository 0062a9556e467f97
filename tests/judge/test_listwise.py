"""Scores of answers side by side: orders, who was left out; against a local chat server."""

import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from plaudit.schemas.common import Message
from plaudit.schemas.judge_scores import ListwiseRequest
from plaudit_judge.calls import Calls
from plaudit_judge.judges.make import make_judge
from plaudit_judge.judges.openai import OpenAIJudge, OpenAISpec
from plaudit_judge.listwise import order_of, score_responses
from plaudit_judge.origin import Origin
from plaudit_judge.pairwise import Bench
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.settings import JudgeSettings

from .conftest import ChatServer, completion

PROMPT = [Message(role="user", content="Count.")]
RUBRIC = load_rubrics()["self_rewarding"]
SKIPPED = "skip me"


@pytest.fixture(params=["auto", "off"], ids=["held to a schema", "in words"])
async def bench(chat: ChatServer, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    chat.behave = repeats_the_number
    spec = OpenAISpec(base_url=chat.base_url, model="policy-model", structured=request.param)
    judge = OpenAIJudge("local", spec, None)
    yield Bench(Calls(judge, 64), RUBRIC, Origin("listwise"), time.monotonic() + 60.0)
    await judge.aclose()


def shown(body: dict[str, Any]) -> dict[str, str]:
    text = body["messages"][-1]["content"]
    found = re.findall(r"<response-([a-z])-[0-9a-f]{16}>\n(.*?)\n</response-", text, re.S)
    return {letter.upper(): answer for letter, answer in found}


def repeats_the_number(body: dict[str, Any]) -> web.Response:
    """Each answer is a number, and gets it."""
    scores = {letter: float(answer) for letter, answer in shown(body).items() if answer != SKIPPED}
    if "response_format" not in body:
        return completion("\n".join(f"Response {x}: score: {s:g}" for x, s in scores.items()))
    verdict = {letter: {"score": score} for letter, score in scores.items()}
    return completion(json.dumps({"reasons": "", "scores": verdict}))


def asked(*responses: str, **fields: Any) -> ListwiseRequest:
    return ListwiseRequest(prompt=PROMPT, responses=list(responses), **fields)


async def test_scores_come_back_in_the_order_of_the_request(bench: Bench, chat: ChatServer) -> None:
    responses = ["3", "5", "0", "3", "4"]
    response = await score_responses(bench, asked(*responses))
    assert response.scores == [3.0, 5.0, 0.0, 3.0, 4.0]
    assert response.fractions == [0.6, 1.0, 0.0, 0.6, 0.8]
    assert response.ranks == [3.5, 1.0, 5.0, 3.5, 2.0]
    (order,) = response.orders
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert [*shown(chat.asked[0]).values()] == [responses[item] for item in order]
    assert response.rubric == RUBRIC.stamp()
    assert len(response.texts) == 1


async def test_each_vote_has_another_order_and_votes_are_averaged(
    bench: Bench, chat: ChatServer
) -> None:
    response = await score_responses(bench, asked("1", "2", "3", votes=3))
    assert response.scores == [1.0, 2.0, 3.0]
    assert response.usage.calls == 3
    for place in range(3):
        assert sorted(order[place] for order in response.orders) == [0, 1, 2]


async def test_an_answer_without_a_score_is_null_and_shifts_nobody(
    bench: Bench, chat: ChatServer
) -> None:
    response = await score_responses(bench, asked("2", SKIPPED, "5", "9"))
    assert response.scores == [2.0, None, 5.0, None]
    assert response.ranks == [2.0, None, 1.0, None]
    assert response.usage.unparsed == 2
    assert response.votes[0][1].reason == "No score on the scale for score."


async def test_nothing_that_can_be_read_is_null_for_all(bench: Bench, chat: ChatServer) -> None:
    chat.behave = lambda body: completion("Both are good.")
    response = await score_responses(bench, asked("1", "2"))
    assert (response.scores, response.ranks) == ([None, None], [None, None])
    assert response.texts == ["Both are good."]


async def test_26_answers_fit_into_one_call(bench: Bench, chat: ChatServer) -> None:
    response = await score_responses(bench, asked(*(str(i % 6) for i in range(26))))
    assert response.scores == [float(i % 6) for i in range(26)]
    # The rubric's 300 tokens, and for each answer 64 and 16 for its one criterion.
    assert chat.asked[0]["max_tokens"] == 300 + 26 * 80


def test_the_first_order_is_drawn_by_the_seed() -> None:
    firsts = [order_of(asked("1", "2", "3", "4", seed=seed), 0)[0] for seed in range(200)]
    assert all(30 < firsts.count(item) < 70 for item in range(4))
    assert order_of(asked("1", "2", seed=7), 0) == order_of(asked("1", "2", seed=7), 0)
    turns = {tuple(order_of(asked("1", "2", "3", "4", seed=1), 4 * turn)) for turn in range(9)}
    assert len(turns) > 4


async def test_a_judge_that_gives_rewards_says_its_rewards() -> None:
    table = {"r": {"kind": "rule", "rule": "shorter"}}
    calls = Calls(make_judge(JudgeSettings.model_validate({"judges": table}), "r"), 4)
    bench = Bench(calls, RUBRIC, Origin("listwise"), time.monotonic() + 9.0)
    response = await score_responses(bench, asked("11", "1", "111", votes=5))
    assert (response.scores, response.fractions) == ([-2.0, -1.0, -3.0], [None, None, None])
    assert (response.ranks, response.rubric) == ([2.0, 1.0, 3.0], None)
    assert len(response.votes) == 1
