"""What is taken down of a reward; of verdicts and juries see the tests of the service."""

from plaudit.schemas.common import Message
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit_judge.judges.base import Reward
from plaudit_judge.ledger.taking import rewarded
from plaudit_judge.origin import Origin

PROMPT = [Message(role="user", content="q")]
REQUEST = JudgeRewardRequest(prompt=PROMPT, judge="nemotron", responses=["a", "b"], reference="r")
ORIGIN = Origin("reward", "eval", "r", "acme")


def test_a_reward_is_stored_with_the_conversation_that_was_sent_and_its_cost() -> None:
    paid = Reward(-1.5, prompt_tokens=9, completion_tokens=1, cost_usd=0.5)
    call = rewarded(REQUEST, ORIGIN, "b", paid, 0.1).whole
    assert (call.origin, call.judge, call.answers, call.reference) == (
        ORIGIN,
        "nemotron",
        ["b"],
        "r",
    )
    assert (call.scores, call.reply.text, call.reply.cost_usd) == ([-1.5], "-1.5", 0.5)
    assert call.reply.sent == [*PROMPT, Message(role="assistant", content="b")]


def test_a_reward_that_was_known_or_is_refused_is_stored_as_such() -> None:
    known = rewarded(REQUEST, ORIGIN, "a", Reward(1.0, calls=0), 0.0).whole
    assert (known.calls, known.reply.sent) == (0, [])
    refused = rewarded(REQUEST, ORIGIN, "a", Reward(None, "refused: too long"), 0.0).whole
    assert (refused.scores, refused.reply.text) == ([None], "refused: too long")
