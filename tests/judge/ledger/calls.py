"""Calls of judges as the ledger's tests make them up."""

from typing import Any

from plaudit.schemas.common import Message
from plaudit_judge.judges.base import Reply
from plaudit_judge.ledger.call import Call
from plaudit_judge.origin import Origin
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.settings import JudgeSettings

ENDPOINT = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
RULE = {"kind": "rule", "rule": "longer"}
RUBRIC = load_rubrics()["sr_r1"].stamp()


def settings(**fields: Any) -> JudgeSettings:
    return JudgeSettings.model_validate({"judges": {"local": ENDPOINT, "rule": RULE}} | fields)


def call(
    text: str = "Winner: response A",
    *,
    run_id: str | None = "r",
    caller: str | None = None,
    lane: Any = "train",
    verb: str = "pairwise",
    judge: str = "local",
    sent: str = "Which is better?",
    cost_usd: float = 0.25,
    **fields: Any,
) -> Call:
    reply = Reply(
        text,
        prompt_tokens=20,
        completion_tokens=4,
        sent=[Message(role="user", content=sent)],
        cost_usd=cost_usd,
    )
    defaults: dict[str, Any] = {
        "rubric": RUBRIC,
        "prompt": [Message(role="user", content="q")],
        "answers": ["1", "2"],
        "reference": None,
        "seed": 7,
        "reply": reply,
        "latency_s": 0.5,
        "winner": "first",
    }
    return Call(Origin(verb, lane, run_id, caller), judge, **(defaults | fields))
