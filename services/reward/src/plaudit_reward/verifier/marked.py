"""GSM8K's own mark: a last line `#### 72` is the answer, whatever numbers and words stand above.

Math-Verify does not know it. It takes the last number after a word like "answered" instead, and so
finds 22 of the 7,473 solutions of GSM8K's training set different from their own answers.
"""

import re

_MAX_CHARS = 200
_LAST_LINE = re.compile(rf"(?:^|\n)####(?!#)[ \t]*(\S[^\n]{{0,{_MAX_CHARS}}})\Z")


def marked_answer(text: str, extract: str) -> str:
    """What stands after the mark; the whole text where there is none, or where it has a \\boxed."""
    if extract != "any" or "\\boxed" in text:
        return text
    match = _LAST_LINE.search(text.rstrip()[-(_MAX_CHARS + 8) :])
    return match[1] if match else text
