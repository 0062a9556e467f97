"""Read the verdict out of a judge's reply. Only the judge's own text is ever passed in here."""

import json
import re
from typing import Any, Literal

Seat = Literal["A", "B", "tie"]
"""A is the answer that was shown first."""

_JSON_FENCE = re.compile(r"^\s*```(?:json)?|```\s*$")
_MARKUP = re.compile(r"[*_`\"\[\]]")
# What a judge says of both ("Winner: response A or response B") is no decision for either.
_EXPLICIT = re.compile(
    r"winner\s*:\s*(?:response\s*(a|b)\b(?! *(?:or|/) *(?:response *)?[ab]\b)|(tie|draw)\b)"
)
# Possessive, so that a long gap costs linear time.
_ALTERNATIVE = re.compile(r"[\s.,;:/-]*+(?:(?:or|and)[\s.,;:/-]*+)?")
# "therefore ... response A is": the gap is bounded so that a hostile reply costs linear time.
_CONCLUSION = r"(?:therefore|hence)\b[^.!?]{0,200}?\bresponse (a|b) is\b"
_NOT_PRAISE = r"(?! (?:not|never|no|worse|less|wrong|incorrect)\b)"
_FALLBACKS = (
    re.compile(r"\bthe winner is response (a|b)\b"),
    re.compile(
        r"\bresponse (a|b) is (?:the )?(?:better|more accurate|more comprehensive|more helpful)\b"
    ),
    re.compile(_CONCLUSION + _NOT_PRAISE),
    re.compile(r"\bresponse (a|b) wins\b"),
    re.compile(r"\bthe better response is response (a|b)\b"),
)


def read_verdict(text: str, *, structured: bool) -> Seat | None:
    """The verdict of a reply in words, or in the JSON that the judge was held to.

    JSON that was cut off has no verdict: what its reasons quote is none.
    """
    if structured and is_json(text):
        verdict = (read_object(text) or {}).get("verdict")
        return parse_winner(verdict) if isinstance(verdict, str) else None
    return parse_winner(text)


def is_json(text: str) -> bool:
    """A JSON object is what the judge meant to say, whole or not."""
    return _unfence(text).startswith("{")


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object that the whole reply is, in a fence or not."""
    try:
        found = json.loads(_unfence(text))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _unfence(text: str) -> str:
    return _JSON_FENCE.sub("", text).strip()


def parse_winner(text: str) -> Seat | None:
    """The winner that the judge named, or None when it named none, or both.

    The last complete `Winner: response X` (or `Winner: tie`) counts; one directly before or after
    another one is the judge's instructions, restated. Without any, phrases such as "response A is
    better" decide, unless they contradict each other.

    Source: algorithms.md 2.3 with its [DESIGN] notes.
    """
    flat = "\n".join(" ".join(line.split()) for line in _MARKUP.sub("", text).lower().splitlines())
    for seats in reversed(_runs(flat)):
        if len(seats) == 1:
            return seats.pop()
    flat = flat.replace("\n", " ")
    named = {match[1] for phrase in _FALLBACKS for match in phrase.finditer(flat)}
    return _seat(named.pop()) if len(named) == 1 else None


def _runs(flat: str) -> list[set[Seat]]:
    """The explicit verdicts; different ones without a word between them are one run.

    One that its run has already had is the judge's own after it: it begins another run.
    """
    runs: list[set[Seat]] = []
    end = 0
    for match in _EXPLICIT.finditer(flat):
        seat: Seat = _seat(match[1]) if match[1] else "tie"
        is_next_to_it = bool(runs) and _ALTERNATIVE.fullmatch(flat, end, match.start()) is not None
        if not is_next_to_it or (len(runs[-1]) > 1 and seat in runs[-1]):
            runs.append(set())
        runs[-1].add(seat)
        end = match.end()
    return runs


def _seat(letter: str) -> Seat:
    return "A" if letter == "a" else "B"
