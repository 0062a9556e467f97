"""Whether an output is the right one, as the packages' scripts tell with diff, sed and tr."""

import re

_BLANKS = re.compile(r"[ \t\v\f\r]+")
_SPACE = re.compile(r"[ \t\n\v\f\r]+")
_ANSWER = re.compile(r"\b(yes|no)\b", re.ASCII | re.IGNORECASE)


def same_lines(output: str, correct: str) -> bool:
    """`diff -b`: blanks count as one, at the end of a line as none."""
    # The script's $(...) takes newlines off the end of the right output, and its echo adds one.
    return _lines(output) == _lines(correct.rstrip("\n"))


def same_words(output: str, correct: str) -> bool:
    """The same words in the same order; YES and NO in any case."""
    return _words(output) == _words(correct)


def without_empty_lines(text: str) -> str:
    return "".join(f"{line}\n" for line in text.split("\n") if line)


def without_carriage_returns(text: str) -> str:
    """At ends of lines, as Codeforces has them."""
    return "\n".join(line.removesuffix("\r") for line in text.split("\n"))


def _lines(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    return [_BLANKS.sub(" ", line).removesuffix(" ") for line in lines]


def _words(text: str) -> str:
    upper = _ANSWER.sub(lambda found: found[0].upper(), text)
    return _SPACE.sub(" ", upper).strip(" ")
