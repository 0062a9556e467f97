"""Read the verdict out of a judge's reply. Only the judge's own text is ever passed in here."""

import json
import re
from typing import Literal

Seat = Literal["A", "B", "tie"]
"""A is the answer that was shown first."""

_JSON_FENCE = re.compile(r"^\s*```(?:json)?|```\s*$")
_MARKUP = re.compile(r"[*_`\"\[\]]")
# A judge that restates its instructions ("Winner: response A or Winner: response B") has not
# decided yet.
_RESTATED = re.compile(
    r"winner\s*:\s*response\s*[ab]\s*(?:or|/)\s*(?:winner\s*:\s*)?(?:response\s*)?[ab]\b"
)
_EXPLICIT = re.compile(r"winner\s*:\s*(?:response\s*(a|b)\b|(tie|draw)\b)")
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
    bare = _JSON_FENCE.sub("", text).strip()
    if structured and bare.startswith("{"):
        return _seat_of_json(bare)
    return parse_winner(text)


def _seat_of_json(text: str) -> Seat | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    verdict = found.get("verdict") if isinstance(found, dict) else None
    return parse_winner(verdict) if isinstance(verdict, str) else None


def parse_winner(text: str) -> Seat | None:
    """The winner that the judge named, or None when it named none, or both.

    The last complete `Winner: response X` (or `Winner: tie`) counts. Without one, phrases such as
    "response A is better" decide, unless they contradict each other.

    Source: algorithms.md 2.3 with its [DESIGN] notes.
    """
    flat = " ".join(_MARKUP.sub("", text).lower().split())
    flat = _RESTATED.sub(" ", flat)
    explicit = list(_EXPLICIT.finditer(flat))
    if explicit:
        seat = explicit[-1][1]
        return _seat(seat) if seat else "tie"
    named = {match[1] for phrase in _FALLBACKS for match in phrase.finditer(flat)}
    return _seat(named.pop()) if len(named) == 1 else None


def _seat(letter: str) -> Seat:
    return "A" if letter == "a" else "B"
