"""Programs of one line, checked by the reward `code`, which runs them in the sandbox.

The two bad habits are reading the number as text and leaving the last operand out. Both fail
every test, so that a test more or less does not change what a reply earns.
"""

from plaudit_trainer.seed.problem import Problem

FACTORS = range(2, 10)
OFFSETS = range(1, 50)
INPUTS = (3, 8)


def problems() -> list[Problem]:
    """Every program `n*factor+offset` and `n*factor-offset`, each once."""
    return [
        _problem(factor, operator, offset)
        for factor in FACTORS
        for operator in "+-"
        for offset in OFFSETS
    ]


def _problem(factor: int, operator: str, offset: int) -> Problem:
    formula = f"*{factor}{operator}{offset}"
    return Problem(
        id=f"code/n{formula}",
        kind="code",
        prompt=f"Read n, print n{formula}.",
        right=(_program(f"int(input()){formula}"),),
        habits=(_program(f"input(){formula}"), _program(f"int(input())*{factor}")),
        reference={"tests": [_test(number, factor, operator, offset) for number in INPUTS]},
    )


def _program(expression: str) -> str:
    return f"```python\nprint({expression})\n```"


def _test(number: int, factor: int, operator: str, offset: int) -> dict[str, str]:
    product = number * factor
    answer = product + offset if operator == "+" else product - offset
    return {"stdin": f"{number}\n", "stdout": f"{answer}\n"}
