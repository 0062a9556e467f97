"""Sums and differences, checked by the rule reward `accuracy`.

The two bad habits are rounding ("About 70.") and guessing one too low ("Maybe 67.").
"""

from plaudit_trainer.seed.problem import Problem

LARGE = range(10, 100)
SMALL = range(2, 10)


def problems() -> list[Problem]:
    """Every sum and difference, each once."""
    sums = [_problem(left, "+", right, left + right) for left in LARGE for right in SMALL]
    differences = [
        _problem(left, "-", right, left - right)
        for left in LARGE
        for right in SMALL
        if left > right
    ]
    return sums + differences


def _problem(left: int, operator: str, right: int, answer: int) -> Problem:
    return Problem(
        id=f"arithmetic/{left}{operator}{right}",
        kind="arithmetic",
        prompt=f"What is {left}{operator}{right}?",
        right=(str(answer),),
        habits=_habits(answer),
        reference={"answer": str(answer)},
    )


def _habits(answer: int) -> tuple[str, ...]:
    rounded = round(answer, -1)
    too_low = f"Maybe {answer - 1}."
    return (too_low,) if rounded == answer else (f"About {rounded}.", too_low)
