"""Where a text keeps its thoughts and its answer, found in linear time.

Backtracking over the regular expressions that define these layouts is quadratic in hostile text.
"""

import re

_BOXED = "\\boxed{"
_BRACES = re.compile("[{}]")
_OPENING, _CLOSING = "<answer>", "</answer>"
_REASONING = (("<reasoning>", "</reasoning>"), ("<think>", "</think>"))


def answer_part(text: str, opening: str, middle: str, closing: str) -> str | None:
    """The answer of a text that is wholly opening, thoughts, middle, answer, closing; else None."""
    if not text.startswith(opening) or not text.endswith(closing):
        return None
    position, end = text.find(middle, len(opening)), len(text) - len(closing)
    if not 0 <= position <= end - len(middle):
        return None
    return text[position + len(middle) : end]


def tagged_answer(text: str) -> str | None:
    """From the last <answer> to the next </answer>, or to the end, without blanks around."""
    start = text.rfind(_OPENING)
    if start < 0:
        return None
    return text[start + len(_OPENING) :].partition(_CLOSING)[0].strip()


def reasoning_part(text: str) -> str:
    """The text in <reasoning>, else in <think>, without blanks around; else the whole text.

    From the first opening tag, or from the beginning where a prompt has opened it, to the next
    closing tag, or to the end.
    """
    for opening, closing in _REASONING:
        start = text.find(opening)
        if start >= 0:
            return text[start + len(opening) :].partition(closing)[0].strip()
        before, found, _ = text.partition(closing)
        if found:
            return before.strip()
    return text.strip()


def boxed_answer(text: str) -> str | None:
    r"""What is in the last \boxed{}; None, too, where that is not closed."""
    start = text.rfind(_BOXED)
    if start < 0:
        return None
    start += len(_BOXED)
    depth = 1
    for match in _BRACES.finditer(text, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return text[start : match.start()]
    return None
