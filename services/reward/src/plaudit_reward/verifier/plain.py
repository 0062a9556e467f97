"""Answers so plain that Math-Verify's verdict is known without asking it.

Only forms are taken for which its extraction rules leave no choice: nothing that could be an
answer, one number at the very end, or one boxed number. `tests/reward/test_plain.py` compares
every verdict with Math-Verify's own over random texts. Everything else is left to it.
"""

import re
from decimal import Decimal

_NUMBER = r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,4})?"
_DIGITS = frozenset("0123456789")
_PLAIN = re.compile(_NUMBER)
_NOTHING = re.compile(r"[\d\\$\[]")
_LATEX = re.compile(r"[\\$\[]")
_ANSWER = re.compile("answer", re.IGNORECASE)
_TAIL_CHARS = 60
_AT_END = re.compile(rf"[A-Za-z:][ \n]{{1,8}}({_NUMBER})\.?")
_AFTER_ANSWER = re.compile(rf"answer(?: is)?:?[ \n]{{1,8}}({_NUMBER})\.?", re.IGNORECASE)
_BOXED = re.compile(rf"\$\\boxed\{{({_NUMBER})\}}\$|\\boxed\{{({_NUMBER})\}}")
_PERCENT = re.compile(r"\s*[%pP]")
_HOPE = "I hope"


def decide(gold: str, text: str, extract: str) -> float | None:
    """1.0, 0.0, or None: ask Math-Verify."""
    gold = gold.strip()
    if not _PLAIN.fullmatch(gold):
        return None
    if not _NOTHING.search(text):
        return 0.0
    answer = _boxed(text) if "\\" in text else _at_end(text) if extract == "any" else None
    if answer is None:
        return None
    return float(Decimal(answer) == Decimal(gold))


def _boxed(text: str) -> str | None:
    """The number in the only \\boxed of a text that has no other LaTeX."""
    match = _BOXED.search(text)
    if match is None or _HOPE in text or _PERCENT.match(text, match.end()):
        return None
    rest = text[: match.start()] + text[match.end() :]
    if _LATEX.search(rest) or "{" in rest or "}" in rest:
        return None
    return match[1] or match[2]


def _at_end(text: str) -> str | None:
    """The number that a text without LaTeX ends with."""
    text = text.strip(" \n")
    whole = text.removesuffix(".")
    if whole[-1:] not in _DIGITS or _LATEX.search(text) or _HOPE in text:
        return None
    if _PLAIN.fullmatch(whole):
        return whole
    tail = text[-_TAIL_CHARS:]
    num_answers = len(_ANSWER.findall(text))
    if num_answers > 1:
        return None
    match = _last_match(_AFTER_ANSWER if num_answers else _AT_END, tail)
    return match[1] if match else None


def _last_match(pattern: re.Pattern[str], tail: str) -> re.Match[str] | None:
    for match in pattern.finditer(tail):
        if match.end() == len(tail):
            return match
    return None
