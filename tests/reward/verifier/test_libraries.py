"""What is kept between answers makes them quicker and no different."""

from collections.abc import Iterator
from typing import Any

import pytest
import sympy
from math_verify import LatexExtractionConfig, parser
from sympy.parsing import sympy_parser

from plaudit_reward.verifier.libraries import speed_up

EXPRESSIONS = [
    "72", "-0.50", "1/2", "2**10", "sin(x) + E", "max(1, 2)", "min(x, y)", "abs(-3)", "N", "Q & S",
    "Symbol('x')", "x y", "2 +", "(", "import os", "factorial(5)", "5!", "0.(3)", "lambda x: x",
]  # fmt: skip


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module, name in [
        (sympy_parser, "parse_expr"), (parser, "parse_expr"), (parser, "Number"),
        (parser, "lazy_latex_regex"),
    ]:  # fmt: skip
        monkeypatch.setattr(module, name, getattr(module, name))
    yield


def outcomes(parse_expr: Any) -> list[str]:
    return [outcome(parse_expr, expression) for expression in EXPRESSIONS]


def outcome(parse_expr: Any, expression: str) -> str:
    try:
        return sympy.srepr(parse_expr(expression))
    except Exception as error:  # why: sympy raises anything
        return f"{type(error).__name__}: {error}"


@pytest.mark.usefixtures("libraries")
def test_expressions_are_read_as_before() -> None:
    expected = outcomes(sympy_parser.parse_expr)
    speed_up()
    assert outcomes(sympy_parser.parse_expr) == outcomes(parser.parse_expr) == expected


@pytest.mark.usefixtures("libraries")
def test_an_expression_leaves_nothing_behind_for_the_next() -> None:
    speed_up()

    def leave_behind(tokens: Any, local_dict: Any, global_dict: dict[str, Any]) -> Any:
        global_dict["pi"] = sympy.Integer(3)
        return tokens

    transformations = (leave_behind, *sympy_parser.standard_transformations)
    assert sympy_parser.parse_expr("pi", transformations=transformations) == 3
    assert sympy_parser.parse_expr("pi") == sympy.pi


@pytest.mark.usefixtures("libraries")
def test_names_that_the_caller_gives_are_the_only_ones() -> None:
    speed_up()
    names = {"Integer": sympy.Integer, "pi": sympy.Integer(3)}
    assert sympy_parser.parse_expr("pi + 1", global_dict=names) == 4


@pytest.mark.usefixtures("libraries")
def test_patterns_of_two_configurations_are_made_once() -> None:
    speed_up()
    first, second = LatexExtractionConfig(), LatexExtractionConfig(boxed_match_priority=0)
    patterns = parser.lazy_latex_regex(first)
    parser.lazy_latex_regex(second)
    assert parser.lazy_latex_regex(first) is patterns
