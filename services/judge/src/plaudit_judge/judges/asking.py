"""What a judge of words is asked: the conversation, and the JSON schema of its reply."""

from collections.abc import Iterable
from typing import Any

from plaudit_judge.chance import draw
from plaudit_judge.judges.base import Ask, Case, ScoreCase
from plaudit_judge.prompt import extract_prompt_text
from plaudit_judge.rendering import render_pair, render_scores, scoring_mode, system_is_constant
from plaudit_judge.rubric import Rubric
from plaudit_judge.rubric_texts import LETTERS

_SEED_BITS = 31
"""What every endpoint accepts as a sampling seed."""
_STRUCTURE_TOKENS = 64
"""For the JSON around the reasons, on top of the rubric's max_tokens."""
_RESPONSE_TOKENS = 64
_SCORE_TOKENS = 16
"""For each answer and each score that is asked for, on top of the rubric's max_tokens."""


def ask_for_winner(case: Case, *, structured: bool) -> Ask:
    rubric = case.rubric
    prompt = extract_prompt_text(case.prompt)
    messages = render_pair(rubric, prompt, case.first, case.second, case.reference)
    seed = draw(case.seed, "vote", case.number, *(message.content for message in messages))
    return Ask(
        messages,
        rubric.temperature,
        rubric.max_tokens + (_STRUCTURE_TOKENS if structured else 0),
        seed % 2**_SEED_BITS,
        schema=verdict_schema(rubric) if structured else None,
        system_is_constant=system_is_constant(rubric, "pairwise"),
    )


def ask_for_scores(case: ScoreCase, *, structured: bool) -> Ask:
    rubric, num_responses = case.rubric, len(case.responses)
    prompt = extract_prompt_text(case.prompt)
    messages = render_scores(rubric, prompt, case.responses, case.reference)
    seed = draw(case.seed, "vote", case.number, *(message.content for message in messages))
    each_tokens = _RESPONSE_TOKENS + _SCORE_TOKENS * len(rubric.criteria)
    return Ask(
        messages,
        rubric.temperature,
        rubric.max_tokens + num_responses * each_tokens,
        seed % 2**_SEED_BITS,
        schema=score_schema(rubric.scoring.names, num_responses) if structured else None,
        system_is_constant=system_is_constant(rubric, scoring_mode(case.responses)),
    )


def verdict_schema(rubric: Rubric) -> dict[str, Any]:
    """One of the lines of the rubric."""
    verdicts = ["Winner: response A", "Winner: response B"]
    if "winner: tie" in rubric.texts["pairwise"].user.lower():
        verdicts.append("Winner: tie")
    return _after_reasons("verdict", {"type": "string", "enum": verdicts})


def score_schema(names: Iterable[str], num_responses: int) -> dict[str, Any]:
    """A number for each criterion, of each answer. Endpoints know no bounds of numbers."""
    scores = _object({name: {"type": "number"} for name in names})
    if num_responses > 1:
        scores = _object(dict.fromkeys(LETTERS[:num_responses], scores))
    return _after_reasons("scores", scores)


def _after_reasons(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Reasons first, so that they come before what they are reasons for."""
    return _object({"reasons": {"type": "string"}, name: schema})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
