"""Structured output where an OpenAI-compatible endpoint offers it, words where it does not."""

from typing import Any

import pytest

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit_judge.judges.base import Case
from plaudit_judge.judges.openai import OpenAIJudge, OpenAISpec
from plaudit_judge.rubric_files import load_rubrics

from ..adapters_server import Script, WireServer, answer, wire_server

PATH = "/v1/chat/completions"
A_WINS = '{"reasons": "Winner: response B, says response B", "verdict": "Winner: response A"}'


def said(text: str | None, finish_reason: str = "stop") -> Script:
    message = {"role": "assistant", "content": text, "refusal": None if text else "No."}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    details = {"cached_tokens": 7}
    usage = {"prompt_tokens": 20, "completion_tokens": 4, "prompt_tokens_details": details}
    return answer({"id": "1", "choices": [choice], "usage": usage})


def refusal(text: str) -> Script:
    return answer({"error": {"message": text, "type": "invalid_request_error"}}, 400)


NO_STRUCTURE = refusal("response_format of type json_schema is not supported")


def judge_at(server: WireServer, **fields: Any) -> OpenAIJudge:
    return OpenAIJudge("o", OpenAISpec(base_url=f"{server.url}/v1", model="m", **fields), None)


async def seats(judge: OpenAIJudge, num: int = 1) -> list[str | None]:
    prompt = [Message(role="user", content="p")]
    case = Case(prompt, "1", "2", None, load_rubrics()["sr_r1"], seed=0)
    try:
        return [(await judge.compare(case, 10.0)).seat for _ in range(num)]
    finally:
        await judge.aclose()


async def test_the_verdict_is_held_to_a_schema_and_its_reasons_decide_nothing() -> None:
    async with wire_server(PATH, said(A_WINS)) as server:
        assert await seats(judge_at(server)) == ["A"]
    asked = server.asked[0]["response_format"]
    assert (asked["type"], asked["json_schema"]["strict"]) == ("json_schema", True)
    assert list(asked["json_schema"]["schema"]["properties"]) == ["reasons", "verdict"]


@pytest.mark.parametrize(
    ("script", "seat"),
    [
        (said('{"reasons": "Winner: response A', "length"), None),
        (said("```json\n" + A_WINS + "\n```"), "A"),
        (said("I prefer words. Winner: response B"), "B"),
        (said(None), None),
        (said(""), None),
        (said('{"verdict": ["Winner: response A"]}'), None),
    ],
    ids=["cut off", "fenced", "schema ignored", "refusal", "empty", "wrong type"],
)
async def test_what_comes_back_instead_is_read_as_far_as_it_goes(
    script: Script, seat: str | None
) -> None:
    async with wire_server(PATH, script) as server:
        assert await seats(judge_at(server)) == [seat]


async def test_an_endpoint_that_refuses_the_schema_is_asked_in_words_from_then_on() -> None:
    async with wire_server(PATH, NO_STRUCTURE, said("Winner: response B")) as server:
        assert await seats(judge_at(server), num=3) == ["B", "B", "B"]
    assert ["response_format" in body for body in server.asked] == [True, False, False, False]


async def test_a_refused_question_is_not_taken_for_a_refused_schema() -> None:
    async with wire_server(PATH, refusal("maximum context length is 1024")) as server:
        judge = judge_at(server)
        with pytest.raises(Rejected, match="context length"):
            await seats(judge)
    assert len(server.asked) == 1
    assert judge.offers_structure


async def test_structure_can_be_demanded_or_left_alone() -> None:
    async with wire_server(PATH, NO_STRUCTURE) as server:
        with pytest.raises(Unavailable, match="structured = 'on'"):
            await seats(judge_at(server, structured="on"))
        assert len(server.asked) == 1
    async with wire_server(PATH, said("Winner: response B")) as server:
        assert await seats(judge_at(server, structured="off")) == ["B"]
        assert "response_format" not in server.asked[0]
