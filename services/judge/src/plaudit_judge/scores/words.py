"""Scores in words: `correctness: 4`, `Response B: clarity 3/5, order 2`, `**Score:** 4 points`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from plaudit.schemas.judge import Scale
from plaudit_judge.scores.criteria import on_scale

_BULLET = re.compile(r"(?:[-•+]|\(?\d{1,2}[.)])\s*(?=[a-z])")
_RESPONSE = re.compile(r"(?:response|answer)\s+([a-z])\b[\s:=.)|–—-]*")  # noqa: RUF001
_LETTER = re.compile(r"([a-z])\s*[:=)|.]\s*")
_LEAD = re.compile(
    r"(?:(?:final|my|the)\s+)?(?:scores?|points|rating)(?:\s*\([^()]{0,60}\))?\s*[:=]\s*(?=[a-z])"
)
_BETWEEN = re.compile(r"(?:\s*\([^()]{0,200}\))?\s*[,;|.]\s*(?:and\s+)?")
_MARKUP = re.compile(r"[*`\"'#>{}\[\]~]")
_ONLY = ("score", "total score", "overall score", "final score", "total", "overall", "rating")
"""What the only criterion may be called."""
_FIGURE = r"\d{1,6}(?:\.\d{1,6})?"
_NUMBER = rf"([-+]?{_FIGURE})(?:\s*(?:/|out of|of)\s*({_FIGURE}))?(?:\s*(?:points?|pts))?"
# A number ends where the line does, or where a remark begins. "1-5" and "4 or 5" are no scores.
_END = r"(?=\s*(?:$|[,;|.()–—-]))(?!\s*[–—-]\s*\d|\.\d|\.\.|%)"  # noqa: RUF001
_REMARK = r"(?:\s+(?:score|rating))?(?:\s*\([^()]{0,60}\))?"
_SEPARATOR = r"(?:\s*[:=|–—-]\s*|\s+(?:is\s+)?)"  # noqa: RUF001


class Entry(NamedTuple):
    letter: str
    """Of the answer; empty where there is only one."""
    criterion: str
    score: float | None
    """None when it is off the scale."""


class WordReader:
    """Reads lines, one after the other."""

    def __init__(self, letters: Sequence[str], scales: Mapping[str, Scale]) -> None:
        """`letters` name the answers; one answer alone has the letter ""."""
        self._letters = [letter.lower() for letter in letters]
        self._are_named = self._letters != [""]
        self._scales = scales
        self._names = {name.replace("_", " "): name for name in scales}
        if len(scales) == 1:
            self._names = dict.fromkeys(_ONLY, next(iter(scales))) | self._names
        words = "|".join(sorted(map(re.escape, self._names), key=len, reverse=True))
        named = rf"({words}){_REMARK}{_SEPARATOR}{_NUMBER}{_END}"
        in_brackets = rf"({words})\s*\(\s*{_NUMBER}\s*\)"
        self._entry = re.compile(f"{named}|{in_brackets}")
        self._bare = re.compile(f"{_NUMBER}{_END}")
        self._letter = ""

    def read(self, line: str) -> Iterator[Entry]:
        """Of an answer that an earlier line named, if this one names none."""
        line = flatten(line)
        start = _skip(_BULLET, line, 0)
        if self._are_named and (match := _RESPONSE.match(line, start)):
            self._letter, start = match[1], match.end()
            yield from self._entries(line, start, self._letter)
        elif self._are_named and (match := _LETTER.match(line, start)):
            # why: "a)" may also be a list's; the lines after it are not taken for answer A's.
            yield from self._entries(line, match.end(), match[1])
        else:
            yield from self._entries(line, start, self._letter)

    def _entries(self, line: str, start: int, letter: str) -> Iterator[Entry]:
        """From `start` on, one after the other; what comes after them is a remark."""
        if letter not in self._letters:
            return
        start = _skip(_LEAD, line, start)
        if letter and len(self._scales) == 1 and (match := self._bare.match(line, start)):
            yield self._entry_of(letter, next(iter(self._scales)), match[1], match[2])
        while match := self._entry.match(line, start):
            name, number, most = match.groups()[:3] if match[1] else match.groups()[3:]
            yield self._entry_of(letter, self._names[name], number, most)
            start = _skip(_BETWEEN, line, match.end())
            if start == match.end():
                return

    def _entry_of(self, letter: str, criterion: str, number: str, most: str | None) -> Entry:
        """`most` is the 5 of 4/5: another end of the scale than the rubric's makes it off-scale."""
        scale = self._scales[criterion]
        is_its_scale = most is None or float(most) == scale.max
        score = on_scale(float(number), scale) if is_its_scale else None
        return Entry(letter.upper(), criterion, score)


def _skip(pattern: re.Pattern[str], line: str, start: int) -> int:
    match = pattern.match(line, start)
    return match.end() if match else start


def flatten(line: str) -> str:
    """In small letters, without markup."""
    return " ".join(_MARKUP.sub("", line).replace("_", " ").lower().split())
