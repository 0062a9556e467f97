"""The shortcut must agree with Math-Verify wherever it decides."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plaudit_reward.verifier.child import answer_question
from plaudit_reward.verifier.plain import decide

NUMBERS = st.one_of(
    st.integers(-1200, 1200).map(str),
    st.decimals(-50, 50, places=2, allow_nan=False).map(str),
    st.sampled_from(["0", "-0", "0.0", "1000000", "1,000", "1 000", "007", "1.", ".5", "3/4"]),
)  # fmt: skip
PIECES = st.one_of(
    NUMBERS,
    st.sampled_from(
        [
            "answer", "Answer:", "the answer is", "final answer is", "I hope it is right", "About",
            "is", "=", "x", "%", "percent", "pct", "p", "$", "\\boxed{", "}", "{", "[", "]", "\\(",
            "\\)", "+", "-", "*", "/", "^", ":", ".", ",", "and", "or", "\n", " ", "  ", "**", "(",
            ")", "\\%", "\\frac{1}{2}", "no", "٣", "\N{MULTIPLICATION SIGN}", "\t", "5 apples",
            "#### ", "\N{EURO SIGN}", "5%",
        ]
    ),
)  # fmt: skip
LOOSE = st.lists(PIECES, max_size=12).flatmap(
    lambda pieces: st.sampled_from(["", " ", "\n"]).map(lambda glue: glue.join(pieces))
)
LIKELY = st.builds(
    "{}{}{}{}{}".format,
    LOOSE,
    st.sampled_from(["", " ", "\n", ": ", " is ", "The answer is ", "Answer: ", "answer:\n\n"]),
    st.one_of(NUMBERS, NUMBERS.map("\\boxed{{{}}}".format), NUMBERS.map("$\\boxed{{{}}}$".format)),
    st.sampled_from(["", ".", " ", ".\n", "%", " percent", " I hope", "\n\n", "!"]),
    st.one_of(st.just(""), LOOSE),
)


@settings(max_examples=800, deadline=None)
@given(gold=NUMBERS, text=st.one_of(LOOSE, LIKELY), extract=st.sampled_from(["any", "latex"]))
@example("57", "5 + 57", "any")
@example("50", "It is $\\boxed{50}$ percent", "any")
@example("5", "The final answer is 5 I hope \\boxed{6}", "any")
@example("7", "The answer is 3, so 7", "any")
@example("6", "\\boxed{6}, so the final answer is 5 I hope", "any")
@example("7", "Answer: 5. So the answer is 7", "any")
@example("10", "3 + 10", "any")
@example("3", "an\N{LATIN SMALL LETTER LONG S}wer 3 and 4", "any")
def test_agrees_with_math_verify(gold: str, text: str, extract: str) -> None:
    verdict = decide(gold, text, extract)
    if verdict is not None:
        assert answer_question(gold, text, extract) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("18", 1.0), ("18.", 1.0), ("18.0", 1.0), ("It is 18.", 1.0), ("It is 17.", 0.0),
        ("The answer is 18", 1.0), ("So \\boxed{18}.", 1.0), ("So $\\boxed{19}$.", 0.0),
        ("About twenty", 0.0), ("", 0.0),
    ],
)  # fmt: skip
def test_decides_the_common_forms_itself(text: str, verdict: float) -> None:
    assert decide("18", text, "any") == verdict


@pytest.mark.parametrize(
    "text", ["9 + 9", "\\frac{36}{2}", "$18$", "18%", "\\boxed{18}%", "18 apples"]
)
def test_leaves_everything_else_to_math_verify(text: str) -> None:
    assert decide("18", text, "any") is None
