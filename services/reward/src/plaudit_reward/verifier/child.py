"""The process in which Math-Verify runs: it answers one question after another, or is killed.

Each question is a JSON line {gold, text, extract}; each answer a JSON line {value} or {missing}.
Math-Verify's own time limits are switched off: they rest on SIGALRM and on an exception that is
no `Exception`, and the parent's SIGKILL needs the cooperation of nobody.
"""

import json
import logging
import resource
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, BinaryIO

from latex2sympy2_extended import NormalizationConfig
from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

MAX_ADDRESS_BYTES = 4 * 2**30
_GOLDS = 256
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


EXTRACT = {
    "any": [_latex(lenient=True), ExprExtractionConfig()],
    "latex": [_latex(lenient=False)],
}


def answer_questions(questions: BinaryIO, answer: Callable[[bytes], None]) -> None:
    """Until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_BYTES, MAX_ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    for line in questions:
        answer(json.dumps(answer_question(**json.loads(line))).encode() + b"\n")


def answer_question(gold: str, text: str, extract: str) -> dict[str, Any]:
    """{"value": 0.0 or 1.0}, or {"missing": reason}. Takes as long as it takes."""
    parsed_gold = _parse_gold(gold)
    if not parsed_gold:
        return {"missing": _UNPARSED}
    parsed = _parse(text, EXTRACT[extract])
    try:
        return {
            "value": float(verify(parsed_gold, parsed, timeout_seconds=None, raise_on_error=True))
        }
    except Exception as error:  # why: sympy raises anything; undecided is not the same as wrong
        if verify(parsed_gold, parsed, timeout_seconds=None):
            return {"value": 1.0}
        return {"missing": f"Math-Verify failed: {type(error).__name__}: {str(error)[:200]}"}


@lru_cache(maxsize=_GOLDS)
def _parse_gold(gold: str) -> list[Any]:
    return _parse(gold, [LatexExtractionConfig(), ExprExtractionConfig()])


def _parse(text: str, extract: Sequence[Any]) -> list[Any]:
    return parse(  # type: ignore[no-any-return]
        text, extraction_config=extract, extraction_mode="first_match", parsing_timeout=None
    )
