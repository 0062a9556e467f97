"""What sympy and Math-Verify make anew for every answer, made once for this process.

What they find stays the same; it takes them a third of the time.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from math_verify import parser
from sympy.parsing import sympy_parser

_CONFIGURATIONS = 8
_NUMBERS = 4096
Names = dict[str, Any]


def speed_up() -> None:
    """Replaces functions of both libraries, so it is for a process that only answers questions."""
    parse_expr = _with_names_at_hand(sympy_parser.parse_expr)
    sympy_parser.parse_expr = parser.parse_expr = parse_expr
    parser.Number = lru_cache(_NUMBERS)(parser.Number)
    # It remembers one configuration: the gold answer's and the text's drive each other out.
    parser.lazy_latex_regex = lru_cache(_CONFIGURATIONS)(parser.lazy_latex_regex.__wrapped__)


def _with_names_at_hand(parse_expr: Callable[..., Any]) -> Callable[..., Any]:
    """Without `global_dict` it executes `from sympy import *` for every number it is given."""
    names = _names(parse_expr)

    @wraps(parse_expr)
    def with_names(*args: Any, global_dict: Names | None = None, **options: Any) -> Any:
        # A copy: no answer may leave something behind for the next.
        known = names.copy() if global_dict is None else global_dict
        return parse_expr(*args, global_dict=known, **options)

    return with_names


def _names(parse_expr: Callable[..., Any]) -> Names:
    """Those that sympy itself would use: a transformation is shown them."""
    names: Names = {}

    def look(tokens: Any, local_dict: Names, global_dict: Names) -> Any:
        names.update(global_dict)
        return tokens

    parse_expr("1", transformations=(look, *sympy_parser.standard_transformations))
    return names
