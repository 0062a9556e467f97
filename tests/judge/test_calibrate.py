"""A judge against labels, asked over the real wire of a local chat server."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from plaudit.errors import Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.judge import Winner
from plaudit.schemas.judge_calibrate import CalibrateRequest, LabelledPair, LabelledResponse
from plaudit_judge.calibrate import calibrate
from plaudit_judge.calls import Calls
from plaudit_judge.judges.base import Reward
from plaudit_judge.judges.rule import RuleJudge, RuleSpec
from plaudit_judge.origin import Origin
from plaudit_judge.pairwise import Bench
from plaudit_judge.questions import questions_of
from plaudit_judge.rubric_files import load_rubrics

from .conftest import ChatServer, completion, error, larger_number_wins, shown

CRITERIA = ("relevance", "completeness", "correctness", "clarity")
PROMPT = [Message(role="user", content="Count.")]


def labelled(a: str, b: str, gold: Winner | list[Winner]) -> LabelledPair:
    return LabelledPair(prompt=PROMPT, a=a, b=b, gold=gold)


def request_for(*pairs: LabelledPair, **fields: Any) -> CalibrateRequest:
    return CalibrateRequest(pairs=list(pairs), rubric="demo", **fields)


async def test_the_judge_is_asked_in_both_orders_and_compared_with_the_labels(
    bench: Bench, chat: ChatServer
) -> None:
    found = await calibrate(
        bench,
        request_for(labelled("9", "2", "a"), labelled("1", "5", "b"), labelled("7", "3", "b")),
    )
    assert (found.num_items, found.unparsed, found.usage.calls) == (3, 0, 6)
    assert found.winners.accuracy.value == pytest.approx(2 / 3)
    assert found.winners.flip_rate.value == 0.0
    assert found.winners.first_position_rate.value == 0.5
    assert found.scores is None
    assert found.rubric.name == "demo"


async def test_a_judge_that_takes_the_first_is_found_out(bench: Bench, chat: ChatServer) -> None:
    chat.behave = lambda body: completion("Winner: response A")
    found = await calibrate(bench, request_for(labelled("9", "2", "a"), labelled("1", "5", "b")))
    assert found.winners.accuracy.value == 0.0
    assert found.winners.flip_rate.value == 1.0
    assert found.winners.first_position_rate.value == 1.0


async def test_an_item_that_cannot_be_judged_is_unparsed_and_ends_nothing(
    bench: Bench, chat: ChatServer
) -> None:
    def too_long_for_666(body: dict[str, Any]) -> web.Response:
        return error(400, "too long") if "666" in shown(body) else larger_number_wins(body)

    chat.behave = too_long_for_666
    found = await calibrate(bench, request_for(labelled("9", "2", "a"), labelled("666", "5", "a")))
    assert (found.num_items, found.unparsed) == (2, 1)
    assert found.winners.accuracy.num_items == 1
    assert found.winners.confusion["a"].unparsed == 1


async def test_a_judge_that_is_not_there_has_no_calibration(bench: Bench, chat: ChatServer) -> None:
    chat.behave = lambda body: error(401, "wrong key")
    with pytest.raises(Unavailable):
        await calibrate(bench, request_for(labelled("9", "2", "a")))


async def test_one_order_and_votes_are_asked_as_in_pairwise(bench: Bench, chat: ChatServer) -> None:
    found = await calibrate(bench, request_for(labelled("9", "2", "a"), swap=False, votes=3))
    assert found.usage.calls == 3
    assert found.winners.flip_rate is None


async def test_scores_are_asked_for_and_compared_with_the_labels(
    bench: Bench, chat: ChatServer
) -> None:
    """The judge scores by length, up to the end of its scale."""

    def by_length(body: dict[str, Any]) -> web.Response:
        asked = body["messages"][-1]["content"]
        if "y" * 9 in asked:
            return error(400, "too long")
        score = next(score for score in (5, 4, 3, 2, 1) if "x" * score in asked)
        return completion(json.dumps({"reasons": "", "scores": dict.fromkeys(CRITERIA, score)}))

    chat.behave = by_length
    bench = replace(bench, rubric=load_rubrics()["helpfulness"])
    gold = {"x": 1.0, "xx": 2.0, "xxxx": 4.0, "xxxxx": 5.0, "y" * 9: 1.0}
    responses = [
        LabelledResponse(prompt=PROMPT, response=text, gold=score) for text, score in gold.items()
    ]
    found = await calibrate(bench, CalibrateRequest(responses=responses))
    assert (found.num_items, found.unparsed, found.usage.calls) == (5, 1, 4)
    assert found.scores.krippendorff_alpha.value == pytest.approx(1.0)
    assert found.scores.spearman.num_items == 4
    assert found.winners is None
    assert found.rubric.name == "helpfulness"


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), -1e300])
async def test_a_reward_that_is_no_score_is_unparsed(
    monkeypatch: pytest.MonkeyPatch, reward: float
) -> None:
    rule = RuleJudge("rule", RuleSpec(kind="rule", rule="longer"))
    monkeypatch.setattr(rule, "_reward", lambda *_: Reward(reward, calls=0))
    bench = Bench(Calls(rule, 4), load_rubrics()["demo"], Origin("calibrate"), time.monotonic() + 9)
    one = LabelledResponse(prompt=PROMPT, response="x", gold=1.0)
    found = await calibrate(bench, CalibrateRequest(responses=[one, one]))
    assert (found.unparsed, found.scores.pearson) == (2, None)


def test_questions_carry_what_the_request_says() -> None:
    request = request_for(labelled("9", "2", "a"), judge="panel", run_id="r", cache=False, seed=7)
    question = questions_of(request)[0]
    assert (question.judge, question.lane, question.run_id) == ("panel", "eval", "r")
    assert (question.rubric, question.cache, question.seed) == ("demo", False, 7)


def test_without_a_rubric_it_is_that_of_the_verb() -> None:
    request = CalibrateRequest(pairs=[labelled("9", "2", "a")])
    assert questions_of(request)[0].rubric == "sr_r1"
    responses = [LabelledResponse(prompt=PROMPT, response="9", gold=1.0)]
    assert questions_of(CalibrateRequest(responses=responses))[0].rubric == "helpfulness"
