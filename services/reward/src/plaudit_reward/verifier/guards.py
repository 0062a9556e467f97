"""Inputs that are refused unseen, because deciding them would only use up the deadline.

The limits are those of inspect_ai's maths scorer (length, nesting, digits, factorials), applied
to the part of a text that Math-Verify would parse.
"""

import math
import re

MAX_TEXT_CHARS = 50_000
MAX_NESTING = 64
MAX_DIGITS = 256
MAX_EXPONENT = 100_000
MAX_FACTORIAL_DIGITS = 4

_BOXED = "\\boxed"
_ANSWER_CHARS = 4096
_DIGITS = re.compile(rf"\d{{{MAX_DIGITS + 1}}}")
_FACTORIAL = re.compile(rf"\d{{{MAX_FACTORIAL_DIGITS + 1}}}\s{{0,8}}!")
_POWER = r"(?:\^|\*\*)[\s{(\\left]{0,16}"
_EXPONENT = re.compile(rf"{_POWER}(\d+)")
_TOWER = re.compile(rf"{_POWER}(\d+)[\s)}}]{{0,8}}(?={_POWER}(\d+))")


def refusal(text: str) -> str | None:
    """Why Math-Verify is not asked about this text; None when it may be."""
    if len(text) > MAX_TEXT_CHARS:
        return f"{len(text)} characters, more than {MAX_TEXT_CHARS}"
    part = _part_to_parse(text)
    if len(part) > MAX_DIGITS and _DIGITS.search(part):
        return f"a number of more than {MAX_DIGITS} digits"
    if "!" in part and _FACTORIAL.search(part):
        return f"the factorial of a number of more than {MAX_FACTORIAL_DIGITS} digits"
    if _is_huge_power(part):
        return f"an exponent over {MAX_EXPONENT}"
    if _nesting(part) > MAX_NESTING:
        return f"brackets nested deeper than {MAX_NESTING}"
    return None


def _part_to_parse(text: str) -> str:
    """From the last \\boxed on, else the end of the text."""
    start = text.rfind(_BOXED)
    return text[start : start + _ANSWER_CHARS] if start >= 0 else text[-_ANSWER_CHARS:]


def _is_huge_power(text: str) -> bool:
    if "^" not in text and "**" not in text:
        return False
    if any(len(digits) > 5 or int(digits) > MAX_EXPONENT for digits in _EXPONENT.findall(text)):
        return True
    towers = ((int(base), int(exponent)) for base, exponent in _TOWER.findall(text))
    return any(up * math.log10(max(base, 1)) > math.log10(MAX_EXPONENT) for base, up in towers)


def _nesting(text: str) -> int:
    if text.count("{") + text.count("(") + text.count("[") <= MAX_NESTING:
        return 0
    depth = deepest = 0
    for character in text:
        if character in "{([":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "})]":
            depth -= 1
    return deepest
