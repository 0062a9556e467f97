"""Judges that are asked in words, by a rubric, and answer in words."""

from dataclasses import replace
from typing import Any

from plaudit_judge import metrics
from plaudit_judge.chance import draw
from plaudit_judge.judges.base import Ask, Case, Opinion, Reply
from plaudit_judge.parse import read_verdict
from plaudit_judge.prompt import extract_prompt_text
from plaudit_judge.rubric import Rubric

_SEED_BITS = 31
"""What every endpoint accepts as a sampling seed."""
_STRUCTURE_TOKENS = 64
"""For the JSON around the reasons, on top of the rubric's max_tokens."""


class TextJudge:
    """Base of those judges: `ask` is theirs."""

    name: str
    reads_rubric = True
    is_symmetric = False
    offers_structure = False
    """Asks carry the schema of a verdict."""

    async def ask(self, ask: Ask, timeout_s: float) -> Reply:
        raise NotImplementedError

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        ask = _ask(case, self.offers_structure)
        reply = await self.ask(ask, timeout_s)
        seat = read_verdict(reply.text, structured=reply.structured)
        metrics.count_verdict(self.name, seat)
        return Opinion(seat, replace(reply, sent=ask.messages))


def _ask(case: Case, structured: bool) -> Ask:
    rubric = case.rubric
    prompt = extract_prompt_text(case.prompt)
    messages = rubric.render(prompt, case.first, case.second, case.reference)
    seed = draw(case.seed, "vote", case.number, *(message.content for message in messages))
    return Ask(
        messages,
        rubric.temperature,
        rubric.max_tokens + (_STRUCTURE_TOKENS if structured else 0),
        seed % 2**_SEED_BITS,
        schema=verdict_schema(rubric) if structured else None,
        system_is_constant=bool(rubric.system) and rubric.system_is_constant(),
    )


def verdict_schema(rubric: Rubric) -> dict[str, Any]:
    """Reasons first, so that they come before the verdict; then one of the lines of the rubric."""
    verdicts = ["Winner: response A", "Winner: response B"]
    if "winner: tie" in rubric.user.lower():
        verdicts.append("Winner: tie")
    return {
        "type": "object",
        "properties": {
            "reasons": {"type": "string"},
            "verdict": {"type": "string", "enum": verdicts},
        },
        "required": ["reasons", "verdict"],
        "additionalProperties": False,
    }
