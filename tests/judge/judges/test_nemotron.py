"""Nemotron as NVIDIA's endpoint and a NIM serve it: rewards, and rankings."""

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from plaudit.errors import Unavailable
from plaudit.schemas.common import Message
from plaudit_judge.judges.base import Case
from plaudit_judge.judges.nemotron import NemotronJudge, NemotronSpec, parse_rewards, pick
from plaudit_judge.judges.nemotron_genrm import (
    NemotronGenrmJudge,
    NemotronGenrmSpec,
    parse_ranking,
)
from plaudit_judge.rubric_files import load_rubrics

from ..adapters_server import Script, WireServer, answer, wire_server

PATH = "/v1/chat/completions"
PROMPT = [Message(role="user", content="p")]
MODEL = "nvidia/llama-3.1-nemotron-70b-reward"


def said(content: Any, logprobs: Any = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}
    return {"id": "1", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}


def by_length() -> Script:
    """`reward:-<characters of the answer>`"""

    async def script(request: Any, body: dict[str, Any]) -> Any:
        text = f"reward:-{len(body['messages'][-1]['content'])}.5"
        return await answer(said(text))(request, body)

    return script


def judge_at(server: WireServer, **fields: Any) -> NemotronJudge:
    spec = NemotronSpec(model=MODEL, base_url=f"{server.url}/v1", **fields)
    return NemotronJudge("nemotron", spec, SecretStr("nvapi-secret"))


def case(first: str, second: str) -> Case:
    return Case(PROMPT, first, second, None, load_rubrics()["sr_r1"], seed=0)


@pytest.mark.parametrize(
    ("text", "attribute", "reward"),
    [
        ("reward:-12.3", None, -12.3),
        ("reward: -25.625\n", None, -25.625),
        ("-3.5", None, -3.5),
        ("1e-3", None, 0.001),
        ("helpfulness:1.26,correctness:2.1,coherence:3.3,complexity:1,verbosity:0.5", None, 1.26),
        ("helpfulness:1.26,correctness:2.1", "correctness", 2.1),
        ("quality:4", None, 4.0),
        ("quality:4,style:2", None, None),
        ("helpfulness:1.26", "style", None),
        ("reward:nan", None, None),
        ("reward:1e999", None, None),
        ("reward:1.2.3", None, None),
        ("", None, None),
        ("I cannot help with that.", None, None),
    ],
)
def test_rewards_are_read_from_every_form(
    text: str, attribute: str | None, reward: float | None
) -> None:
    assert pick(parse_rewards(text), attribute) == reward


LOGPROBS = [{"token": "helpfulness", "logprob": 1.5}, {"token": "verbosity", "logprob": 0.25}]


@pytest.mark.parametrize(
    "body", [said("", {"content": LOGPROBS}), said(None, LOGPROBS), said(LOGPROBS)]
)
async def test_a_list_of_logprobs_is_a_list_of_attributes(body: dict[str, Any]) -> None:
    async with wire_server(PATH, answer(body)) as server:
        judge = judge_at(server)
        [reward] = await judge.rewards(PROMPT, ["x"], None, 10.0)
        await judge.aclose()
    assert reward.value == 1.5


async def test_the_answer_is_the_assistants_turn_and_the_higher_reward_wins() -> None:
    async with wire_server(PATH, by_length()) as server:
        judge = judge_at(server)
        assert (await judge.compare(case("short", "much longer"), 10.0)).seat == "A"
        assert (await judge.compare(case("much longer", "short"), 10.0)).seat == "B"
        await judge.aclose()
    assert [m["role"] for m in server.asked[0]["messages"]] == ["user", "assistant"]
    assert server.headers[0]["authorization"] == "Bearer nvapi-secret"
    assert len(server.asked) == 2, "each answer is asked about once"


async def test_pairs_that_are_judged_at_once_ask_about_each_answer_once() -> None:
    answers = ["a", "bb", "ccc", "dddd"]
    async with wire_server(PATH, by_length()) as server:
        judge = judge_at(server)
        pairs = [case(a, b) for a in answers for b in answers if a != b]
        opinions = await asyncio.gather(*(judge.compare(pair, 10.0) for pair in pairs))
        await judge.aclose()
    assert len(server.asked) == len(answers)
    assert sum(opinion.calls for opinion in opinions) == len(answers)
    assert {opinion.seat for opinion in opinions[:3]} == {"A"}


async def test_rewards_within_the_margin_are_a_tie() -> None:
    async with wire_server(PATH, by_length()) as server:
        judge = judge_at(server, tie_margin=1.0)
        assert (await judge.compare(case("aa", "bbb"), 10.0)).seat == "tie"
        await judge.aclose()


async def test_an_answer_that_is_refused_has_no_reward_and_says_why() -> None:
    refused = answer({"error": "4096 tokens at most"}, 400)
    async with wire_server(PATH, refused, answer(said("reward:1"))) as server:
        judge = judge_at(server, max_concurrency=1)
        first, second = await judge.rewards(PROMPT, ["long", "short"], None, 10.0)
        await judge.aclose()
    assert (first.value, second.value) == (None, 1.0)
    assert "4096 tokens" in (first.reason or "")


async def test_an_overloaded_endpoint_is_tried_again_and_never_a_zero() -> None:
    overloaded = answer({"error": "overloaded"}, 529)
    async with wire_server(PATH, overloaded, answer(said("reward:2"))) as server:
        judge = judge_at(server)
        assert (await judge.rewards(PROMPT, ["x"], None, 10.0))[0].value == 2.0
        server.scripts = [overloaded]
        with pytest.raises(Unavailable):
            await judge.rewards(PROMPT, ["y"], None, 0.8)
        await judge.aclose()


async def test_a_model_that_the_endpoint_lacks_is_unavailable_with_the_reason() -> None:
    async with wire_server(PATH, by_length(), models=("other/model",)) as server:
        judge = judge_at(server)
        info = await judge.info()
        assert not info.available
        assert MODEL in (info.reason or "")
        assert "other/model" in (info.reason or "")
        server.models.append(MODEL)
        assert (await judge.info()).available
        await judge.aclose()


async def test_an_endpoint_out_of_reach_does_not_make_it_unavailable() -> None:
    async with wire_server(PATH, by_length()) as server:
        judge = judge_at(server)
    assert (await judge.info()).available, "a worker elsewhere may reach it"
    await judge.aclose()


@pytest.mark.parametrize(
    ("text", "seat"),
    [
        ('{"score_1": 5, "score_2": 2, "ranking": 1}', "A"),
        (
            'thinking {"ranking": 1}... ```json\n{"score_1": 3, "score_2": 4, "ranking": 5}\n```',
            "B",
        ),
        ('{"ranking": 3}', "A"),
        ('{"ranking": 4}', "B"),
        ('{"ranking": 7}', None),
        ('{"ranking": "B"}', None),
        ('{"score_1": 5, "score_2": 2', None),
        ("", None),
        ("{" * 100_000, None),
        ('{"a":' * 5_000, None),
    ],
)
def test_a_ranking_up_to_three_is_the_first_answer(text: str, seat: str | None) -> None:
    assert parse_ranking(text) == seat


async def test_the_answers_have_the_roles_of_genrm() -> None:
    body = said('{"score_1": 1, "score_2": 5, "ranking": 6}')
    async with wire_server(PATH, answer(body)) as server:
        spec = NemotronGenrmSpec(model="genrm", base_url=f"{server.url}/v1")
        judge = NemotronGenrmJudge("genrm", spec, None)
        assert (await judge.compare(case("x", "y"), 10.0)).seat == "B"
        await judge.aclose()
    sent = [(m["role"], m["content"]) for m in server.asked[0]["messages"]]
    assert sent == [("user", "p"), ("response_1", "x"), ("response_2", "y")]
