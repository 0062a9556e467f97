"""The rewards `ioi_code` and `codeforces`: subtasks by their worst test, and scoring modes."""

from typing import Any

import pytest


def block(code: str) -> str:
    return f"```python\n{code}\n```"


def case(number: int, answer: int) -> dict[str, str]:
    return {"stdin": f"{number}\n", "stdout": f"{answer}\n"}


EVEN_ONLY = block("n = int(input()); print(n // 2 if n % 2 == 0 else 'odd')")
TASK = [
    {"points": 10.5, "tests": [case(2, 1)]},
    {"points": 40, "tests": [case(2, 1), case(4, 2), case(6, 3), case(7, 3)]},
    {"points": 49.5, "tests": [case(2, 1), case(8, 4)]},
]


async def test_one_failed_test_costs_its_whole_subtask_and_no_other(score: Any, group: Any) -> None:
    texts = EVEN_ONLY, block("print(int(input()) // 2)"), block("print(1)")
    assert await score("ioi_code", group(*texts, subtasks=TASK)) == [60.0, 100.0, 10.5]
    fractions = await score("ioi_code", group(*texts, subtasks=TASK), unit="fraction")
    assert fractions == [pytest.approx(0.6), 1.0, pytest.approx(0.105)]


@pytest.mark.parametrize(
    ("subtasks", "reason"),
    [
        (None, "reference.subtasks is missing"), ([], "reference.subtasks is missing"),
        ([{"tests": [case(2, 1)]}], "reference.subtasks.0.points: Field required"),
        ([{"points": 0, "tests": [case(2, 1)]}],
         "reference.subtasks.0.points: Input should be greater than 0"),
        ([{"points": 1, "tests": []}],
         "reference.subtasks.0.tests: List should have at least 1 item after validation, not 0"),
    ],
)  # fmt: skip
async def test_subtasks_that_are_none_are_null_with_the_reason(
    score: Any, group: Any, subtasks: Any, reason: str
) -> None:
    assert await score("ioi_code", group(EVEN_ONLY, subtasks=subtasks)) == [reason]


@pytest.mark.parametrize(
    "code", ["print(", "x = 1\n  y = 2", "if 1:\n\tx = 1\n        y = 2"],
    ids=["syntax", "indentation", "tabs"],
)  # fmt: skip
async def test_what_is_not_python_gets_the_reward_for_that(
    score: Any, group: Any, code: str
) -> None:
    assert await score("codeforces", group(block(code), tests=[case(1, 1)])) == [-0.1]


@pytest.mark.parametrize(
    "code",
    ["import nothing_like_it", "while True: pass", "print(1); exit(1)",
     "import os; os._exit(0)"],
)  # fmt: skip
async def test_what_fails_while_it_runs_is_a_failed_test(score: Any, group: Any, code: str) -> None:
    tests = [case(1, 1)]
    assert await score("codeforces", group(block(code), tests=tests), timeout_s=0.5) == [0.0]


async def test_without_tests_there_is_no_reward_for_a_missing_submission(
    score: Any, group: Any
) -> None:
    assert await score("codeforces", group("no code")) == ["reference.tests is missing"]
