"""The process in which Math-Verify runs: it answers one batch after another, or is killed.

A batch is a JSON line of [gold, text, extract]s; the reply a JSON line with a verdict, or the
reason why there is none, for each of them.
Math-Verify's own time limits are switched off: they rest on SIGALRM and on an exception that is
no `Exception`, and the parent's SIGKILL needs the cooperation of nobody.
"""

import json
import re
import resource
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, BinaryIO

from latex2sympy2_extended import NormalizationConfig
from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

from plaudit_reward.verifier.noted import Answer, Noted

MAX_ADDRESS_BYTES = 4 * 2**30
_GOLDS = 256
_LATEX = re.compile(r"[\\$\[]")
"""What a text must have for Math-Verify to find LaTeX in it."""
_UNPARSED = "reference.answer cannot be parsed"


def _latex(*, lenient: bool) -> LatexExtractionConfig:
    """Open-R1's configuration; lenient: also LaTeX without "answer" before it, and \\frac12."""
    normalization = NormalizationConfig(
        basic_latex=True, units=True, malformed_operators=lenient, nits=lenient, boxed="all"
    )
    return LatexExtractionConfig(
        try_extract_without_anchor=lenient,
        boxed_match_priority=0,
        normalization_config=normalization,
    )


GOLD = [LatexExtractionConfig(), ExprExtractionConfig()]
EXTRACT = {
    "any": [_latex(lenient=True), ExprExtractionConfig()],
    "latex": [_latex(lenient=False)],
}


def answer_batches(batches: BinaryIO, reply: Callable[[bytes], None], noted: Noted) -> None:
    """Until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_BYTES, MAX_ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in batches:
        answers: list[Answer] = []
        for gold, text, extract in json.loads(line):
            answers.append(answer_question(gold, text, extract))
            noted.note(len(answers) - 1, answers[-1])
        reply(json.dumps(answers).encode() + b"\n")


def answer_question(gold: str, text: str, extract: str) -> Answer:
    """0.0, 1.0, or why neither. Takes as long as it takes."""
    parsed_gold = _parse_gold(gold)
    if not parsed_gold:
        return _UNPARSED
    parsed = _parse(text, EXTRACT[extract])
    try:
        return float(verify(parsed_gold, parsed, timeout_seconds=None, raise_on_error=True))
    except Exception as error:  # why: sympy raises anything; undecided is not the same as wrong
        if verify(parsed_gold, parsed, timeout_seconds=None):
            return 1.0
        return f"Math-Verify failed: {type(error).__name__}: {str(error)[:200]}"


@lru_cache(maxsize=_GOLDS)
def _parse_gold(gold: str) -> list[Any]:
    return _parse(gold, GOLD)


def _parse(text: str, extract: Sequence[Any]) -> list[Any]:
    if not _LATEX.search(text):  # a slow search for it would find none
        extract = [one for one in extract if not isinstance(one, LatexExtractionConfig)]
    return parse(  # type: ignore[no-any-return]
        text, extraction_config=extract, extraction_mode="first_match", parsing_timeout=None
    )
