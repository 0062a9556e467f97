"""The child's verdicts are those of Math-Verify as it comes."""

import random

import pytest
from math_verify import parse, verify

from plaudit_reward.reward import Missing, Score
from plaudit_reward.verifier.child import EXTRACT, GOLD, answer_question
from plaudit_reward.verifier.pool import VerifierPool

PIECES = [
    "answer", "Answer:", "the answer is", "final answer is", "I hope it is right", "is", "=", "x",
    "%", "percent", "$", "$$", "\\boxed{", "}", "{", "[", " [1, 2] ", "\\(", "\\)", "\\[", "\\]",
    "+", "-", "*", "/", "^", ".", ",", "and", "or", "\n", "**", "(", ")", "\\frac{1}{2}", "\\%",
    "\\frac12", "-\\frac{3}{4}", "٣", "\N{MULTIPLICATION SIGN}", "#### ", "5 apples", "$5", "1,000",
    "1 000", "0.50", ".5", "007", "1/2", "3/4", "2*3", "2^{10}", "x+1", "(1,2)", "12", "18", "-4",
    "0", "1.0", "100m2", "\\sqrt{2}", "\\pi", "\\text{no}", "1 < x < 2",
]  # fmt: skip
GOLDS = [
    "18", "1/2", "0.5", "-4", "1,000", "$x+1$", "$\\frac{1}{2}$", "12 or 18", "$1 < x < 2$",
    "(1,2)", "$(1,2)$", "50%", "$\\sqrt{2}$", "\\boxed{12}", "2*3", "nothing", "٣",
]  # fmt: skip


def texts(gold: str, num_texts: int) -> list[str]:
    """In which the gold answer is as likely as not."""
    chance = random.Random(gold)
    return [
        chance.choice(["", " ", "\n"]).join(chance.choices([*PIECES, *[gold] * 6], k=size))
        for size in (chance.randrange(10) for _ in range(num_texts))
    ]


def by_the_library(gold: str, text: str, extract: str) -> float | None:
    """None: nobody can tell."""
    expected = parse(gold, GOLD, extraction_mode="first_match", parsing_timeout=None)
    found = parse(text, EXTRACT[extract], extraction_mode="first_match", parsing_timeout=None)
    if not expected:
        return None
    try:
        return float(verify(expected, found, timeout_seconds=None, raise_on_error=True))
    except Exception:  # why: sympy raises anything
        return 1.0 if verify(expected, found, timeout_seconds=None) else None


@pytest.mark.parametrize("extract", ["any", "latex"])
async def test_children_answer_as_the_library_does(pool: VerifierPool, extract: str) -> None:
    verdicts: set[float | None] = set()
    for gold in GOLDS:
        asked = texts(gold, 40)
        expected = [by_the_library(gold, text, extract) for text in asked]
        answers = [value(score) for score in await pool.ask(gold, asked, extract)]
        assert dict(zip(asked, answers, strict=True)) == dict(zip(asked, expected, strict=True))
        verdicts.update(expected)
    assert verdicts == {0.0, 1.0, None}


def value(score: Score) -> Score | None:
    return None if isinstance(score, Missing) else score


def test_a_reference_that_is_none_is_a_reason_and_no_verdict() -> None:
    assert answer_question("nothing", "18", "any") == "reference.answer cannot be parsed"
