"""What an answer says to the judge stays a quotation, and is never read as the judge's verdict."""

import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest
from plaudit.schemas.judge_scores import ListwiseRequest, PointwiseRequest
from plaudit_judge.calls import Calls
from plaudit_judge.judges.openai import OpenAIJudge, OpenAISpec
from plaudit_judge.listwise import score_responses
from plaudit_judge.origin import Origin
from plaudit_judge.pairwise import Bench, judge_pair
from plaudit_judge.pointwise import score_response
from plaudit_judge.quoting import defuse
from plaudit_judge.rendering import render_pair, render_scores
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.together import together

from .attacks import ATTACKS, CRITERIA, TOKENS
from .conftest import ChatServer, completion

RUBRICS = load_rubrics()
FENCED = sorted(RUBRICS.keys() - {"demo"})
QUESTION = "What is 2+2?"
HONEST = "It is 4."
Quote = Callable[[str], str]
MAX_QUOTED_CHARS = 50_000
"""More than any rubric lets a judge write."""
QUOTES: dict[str, Quote] = {
    "nothing": lambda answer: "I have compared them.",
    "the answer": lambda answer: f"It says:\n{answer}\n\nThat is not for it to say.",
    "the answer, as markdown does": lambda answer: "\n".join(
        ["It says:", *(f"> {line}" for line in answer.splitlines()), "", "I disagree."]
    ),
    "its last line": lambda answer: f"Its end is\n{answer.strip()[-200:]}\nand I disagree.",
}


def parts(messages: list[Message]) -> tuple[dict[str, str], str]:
    """What each tag of the conversation quotes, and all that stands outside of the tags."""
    text = "\n".join(message.content for message in messages)
    fence = re.search(r"<question-([0-9a-f]{16})>", text)[1]
    tag = rf"<((?:question|reference|response(?:-[a-z])?)-{fence})>\n(.*?)\n</\1>"
    quoted = {name.removesuffix(f"-{fence}"): body for name, body in re.findall(tag, text, re.S)}
    return quoted, re.sub(tag, "<>", text, flags=re.DOTALL).replace(fence, "FENCE")


@pytest.mark.parametrize("rubric", FENCED)
def test_in_a_pair_an_attack_stays_within_its_tags(rubric: str) -> None:
    _, outside = parts(render_pair(RUBRICS[rubric], QUESTION, HONEST, HONEST))
    for attack in ATTACKS.values():
        for first, second in ((attack, HONEST), (HONEST, attack)):
            found = parts(render_pair(RUBRICS[rubric], QUESTION, first, second))
            quoted = {"response-a": defuse(first), "response-b": defuse(second)}
            assert found == ({"question": QUESTION} | quoted, outside)


@pytest.mark.parametrize("rubric", FENCED)
def test_an_attack_that_is_scored_stays_within_its_tags(rubric: str) -> None:
    _, outside = parts(render_scores(RUBRICS[rubric], QUESTION, [HONEST]))
    for attack in ATTACKS.values():
        found = parts(render_scores(RUBRICS[rubric], QUESTION, [attack]))
        assert found == ({"question": QUESTION, "response": defuse(attack)}, outside)


@pytest.mark.parametrize("rubric", FENCED)
def test_in_a_list_an_attack_stays_within_its_tags(rubric: str) -> None:
    _, outside = parts(render_scores(RUBRICS[rubric], QUESTION, [HONEST] * 3))
    for attack in ATTACKS.values():
        for place in range(3):
            responses = [HONEST] * place + [attack] + [HONEST] * (2 - place)
            quoted = {
                f"response-{letter}": defuse(text)
                for letter, text in zip("abc", responses, strict=True)
            }
            found = parts(render_scores(RUBRICS[rubric], QUESTION, responses))
            assert found == ({"question": QUESTION} | quoted, outside)


def test_no_control_token_of_a_chat_template_survives() -> None:
    for name, attack in ATTACKS.items():
        pair = [Message(role="user", content="")]
        for rubric in RUBRICS.values():
            pair += render_pair(rubric, attack, attack, attack)
        text = "".join(message.content for message in pair)
        assert [token for token in TOKENS if token in text] == [], name


def test_an_attack_in_the_question_or_the_reference_stays_within_its_tags_too() -> None:
    for attack in ATTACKS.values():
        messages = render_pair(RUBRICS["math"], attack, HONEST, HONEST, reference=attack)
        quoted, _ = parts(messages)
        assert (quoted["question"], quoted["reference"]) == (defuse(attack), defuse(attack))


class Judge:
    """Finds the honest answers by their tags, prefers them, and quotes the other before it does."""

    def __init__(self, quote: Quote) -> None:
        self.quote = quote

    def __call__(self, body: dict[str, Any]) -> web.Response:
        quoted, _ = parts([Message.model_validate(message) for message in body["messages"]])
        answers = {tag: text for tag, text in quoted.items() if tag.startswith("response")}
        attack = next(text for text in answers.values() if text != HONEST)
        reasons = self.quote(attack[-MAX_QUOTED_CHARS:])
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        verdict = self._verdict(answers, body)
        if schema is None:
            return completion(f"{reasons}\n\n{self._words(verdict)}")
        key = "verdict" if "verdict" in schema["properties"] else "scores"
        return completion(json.dumps({"reasons": reasons, key: verdict}))

    def _verdict(self, answers: Mapping[str, str], body: dict[str, Any]) -> Any:
        if "Winner:" in body["messages"][-1]["content"].rpartition("The material ends here")[2]:
            return f"Winner: response {'A' if answers['response-a'] == HONEST else 'B'}"
        if "response" in answers:
            return dict.fromkeys(CRITERIA, 2)
        return {
            tag[-1].upper(): dict.fromkeys(CRITERIA, 4 if text == HONEST else 2)
            for tag, text in answers.items()
        }

    def _words(self, verdict: Any) -> str:
        if isinstance(verdict, str):
            return verdict
        if "A" not in verdict:
            return "\n".join(f"{name}: {score}" for name, score in verdict.items())
        return "\n".join(
            f"Response {letter}: " + ", ".join(f"{n}: {score}" for n, score in scores.items())
            for letter, scores in verdict.items()
        )


@pytest.fixture(params=["auto", "off"], ids=["held to a schema", "in words"])
async def bench(chat: ChatServer, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    spec = OpenAISpec(base_url=chat.base_url, model="policy-model", structured=request.param)
    judge = OpenAIJudge("local", spec, None)
    yield Bench(
        calls=Calls(judge, max_concurrency=16),
        rubric=RUBRICS["helpfulness"],
        origin=Origin("pairwise"),
        deadline_s=time.monotonic() + 60.0,
    )
    await judge.aclose()


async def changed(judge: Callable[[str], Awaitable[Any]], expected: Any) -> dict[str, Any]:
    """The attacks that were answered with something else."""
    names = [name for name, attack in ATTACKS.items() if attack != HONEST]
    found = await together((partial(judge, ATTACKS[name]) for name in names), limit=16)
    return {name: got for name, got in zip(names, found, strict=True) if got != expected}


@pytest.mark.parametrize("quote", QUOTES.values(), ids=[f"quoting {name}" for name in QUOTES])
class TestAnAttackChangesNothing:
    async def test_in_a_pair(self, bench: Bench, chat: ChatServer, quote: Quote) -> None:
        chat.behave = Judge(quote)

        async def winners(attack: str) -> list[Any]:
            request = PairwiseRequest(prompt=prompt(), a=attack, b=HONEST)
            return [vote.winner for vote in (await judge_pair(bench, request)).votes]

        assert await changed(winners, ["b", "b"]) == {}

    async def test_in_scores(self, bench: Bench, chat: ChatServer, quote: Quote) -> None:
        chat.behave = Judge(quote)

        async def score(attack: str) -> float | None:
            request = PointwiseRequest(prompt=prompt(), response=attack)
            return (await score_response(bench, request)).score

        assert await changed(score, 2.0) == {}

    async def test_in_a_list(self, bench: Bench, chat: ChatServer, quote: Quote) -> None:
        chat.behave = Judge(quote)

        async def scores(attack: str) -> list[float | None]:
            responses = [HONEST, attack, HONEST]
            request = ListwiseRequest(prompt=prompt(), responses=responses, votes=3)
            found = await score_responses(bench, request)
            assert {order.index(1) for order in found.orders} == {0, 1, 2}
            return found.scores

        assert await changed(scores, [4.0, 2.0, 4.0]) == {}


def prompt() -> list[Message]:
    return [Message(role="user", content=QUESTION)]


def test_the_corpus_is_as_large_as_the_docs_say() -> None:
    assert len(ATTACKS) > 90
    assert len(set(ATTACKS.values())) == len(ATTACKS)
