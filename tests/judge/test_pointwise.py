"""Scores of one answer: votes, what is missing, usage; against a local chat server."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from plaudit.errors import DeadlineExceeded, Rejected
from plaudit.schemas.common import Message
from plaudit.schemas.judge_scores import PointwiseRequest
from plaudit_judge.calls import Calls
from plaudit_judge.judges.make import make_judge
from plaudit_judge.judges.openai import OpenAIJudge, OpenAISpec
from plaudit_judge.origin import Origin
from plaudit_judge.pairwise import Bench
from plaudit_judge.pointwise import score_response
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.settings import JudgeSettings

from .conftest import ChatServer, completion, error

RUBRICS = load_rubrics()
PROMPT = [Message(role="user", content="Count.")]
WORDS = "It counts.\n\ndirectness: 5\neconomy: 4\nresult: {}"


@pytest.fixture(params=["auto", "off"], ids=["held to a schema", "in words"])
async def bench(chat: ChatServer, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    spec = OpenAISpec(base_url=chat.base_url, model="policy-model", structured=request.param)
    judge = OpenAIJudge("local", spec, None)
    yield Bench(
        calls=Calls(judge, max_concurrency=64),
        rubric=RUBRICS["efficiency"],
        origin=Origin("pointwise"),
        deadline_s=time.monotonic() + 60.0,
    )
    await judge.aclose()


def asked(**fields: Any) -> PointwiseRequest:
    return PointwiseRequest(prompt=PROMPT, response="1, 2, 3", **fields)


def says(*results: Any) -> Any:
    """A judge that gives one `result` after the other, in the form that it was asked for."""
    left = list(results)

    def behave(body: dict[str, Any]) -> web.Response:
        result = left.pop(0) if len(left) > 1 else left[0]
        if "response_format" not in body:
            return completion(WORDS.format(result))
        scores = {"directness": 5, "economy": 4, "result": result}
        return completion(json.dumps({"reasons": "It counts.", "scores": scores}))

    return behave


async def test_the_score_is_the_weighted_mean_of_the_criteria(
    bench: Bench, chat: ChatServer
) -> None:
    chat.behave = says(2)
    response = await score_response(bench, asked())
    assert (response.score, response.fraction) == (3.25, 0.5625)
    assert [(one.name, one.score, one.weight) for one in response.votes[0].criteria] == [
        ("directness", 5.0, 1.0),
        ("economy", 4.0, 1.0),
        ("result", 2.0, 2.0),
    ]
    assert response.reason.startswith("It counts.")
    assert response.rubric == RUBRICS["efficiency"].stamp()


async def test_votes_are_averaged_and_have_seeds_of_their_own(
    bench: Bench, chat: ChatServer
) -> None:
    chat.behave = says(2, 4)
    response = await score_response(bench, asked(votes=2))
    assert (response.score, response.usage.calls) == (3.75, 2)
    assert len({body["seed"] for body in chat.asked}) == 2


@pytest.mark.parametrize("off_the_scale", [0, 6, 55, "?"])
async def test_a_vote_off_the_scale_is_null_left_out_and_counted(
    bench: Bench, chat: ChatServer, off_the_scale: Any
) -> None:
    before = unparsed()
    chat.behave = says(off_the_scale, 2)
    response = await score_response(bench, asked(votes=2))
    assert (response.score, response.usage.unparsed) == (3.25, 1)
    assert sorted(str(vote.score) for vote in response.votes) == ["3.25", "None"]
    assert response.reason.startswith("It counts.")
    assert unparsed() == before + 1


@pytest.mark.parametrize("text", ["", None, "I refuse.", '{"reasons": "", "scores": {'])
async def test_no_score_is_null_with_the_reason(
    bench: Bench, chat: ChatServer, text: str | None
) -> None:
    chat.behave = lambda body: completion(text)
    response = await score_response(bench, asked())
    assert (response.score, response.fraction, response.usage.unparsed) == (None, None, 1)
    assert response.reason.startswith("No score on the scale for directness, economy, result.")


def unparsed() -> float:
    labels = {"judge": "local", "outcome": "unparsed"}
    return REGISTRY.get_sample_value("plaudit_judge_scores_total", labels) or 0.0


async def test_the_question_has_the_schema_or_the_lines_of_the_scores(
    bench: Bench, chat: ChatServer
) -> None:
    chat.behave = says(2)
    await score_response(bench, asked(reference="1 2 3"))
    (body,) = chat.asked
    assert "1 2 3\n</reference-" in body["messages"][1]["content"]
    assert body["messages"][1]["content"].endswith("economy: <number>\nresult: <number>")
    # The rubric's 1000 tokens, 64 for the answer, and 16 for each criterion.
    assert (body["temperature"], body["max_tokens"]) == (0.0, 1112)
    if "response_format" in body:
        schema = body["response_format"]["json_schema"]["schema"]
        assert list(schema["properties"]) == ["reasons", "scores"]
        assert schema["properties"]["scores"]["required"] == ["directness", "economy", "result"]


async def test_a_question_that_the_endpoint_refuses_is_rejected(
    bench: Bench, chat: ChatServer
) -> None:
    chat.behave = lambda body: error(400, "maximum context length is 1024 tokens")
    with pytest.raises(Rejected, match="maximum context length"):
        await score_response(bench, asked())


async def test_a_call_that_gets_its_slot_too_late_is_not_made(
    bench: Bench, chat: ChatServer
) -> None:
    late = replace(bench, deadline_s=time.monotonic() - 1.0)
    with pytest.raises(DeadlineExceeded):
        await score_response(late, asked())
    assert chat.asked == []


async def test_a_judge_that_gives_rewards_says_its_reward_and_reads_no_rubric() -> None:
    rules = {"longer": {"rule": "longer"}, "exact": {"rule": "exact_match"}}
    tables = {name: {"kind": "rule"} | rule for name, rule in rules.items()}
    settings = JudgeSettings.model_validate({"judges": tables})
    found = {}
    for name in tables:
        calls = Calls(make_judge(settings, name), 4)
        bench = Bench(calls, RUBRICS["math"], Origin("pointwise"), time.monotonic() + 9.0)
        found[name] = await score_response(bench, asked(votes=3))
    assert (found["longer"].score, found["longer"].fraction) == (7.0, None)
    assert (found["longer"].rubric, len(found["longer"].votes)) == (None, 1)
    assert found["exact"].score is None
    assert found["exact"].reason == "exact_match needs a reference"
    assert found["exact"].usage.unparsed == 1
