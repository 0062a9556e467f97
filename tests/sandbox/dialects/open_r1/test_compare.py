"""When an output counts as the right one, as `diff` and the packages' scripts have it."""

import pytest

from plaudit_sandbox.dialects.open_r1.compare import (
    same_lines,
    same_words,
    without_carriage_returns,
    without_empty_lines,
)


@pytest.mark.parametrize(
    ("output", "correct", "same"),
    [
        ("1 2\n3\n", "1 2\n3\n", True),
        ("1 2\n3", "1 2\n3\n\n\n", True),
        ("1  \t2  \n3\n", "1 2\n3\n", True),
        (" 1\n", "1\n", False),
        ("12\n", "1 2\n", False),
        ("1\n\n", "1\n", False),
        ("1\n2\n", "1 2\n", False),
        ("", "1\n", False),
    ],
)
def test_ioi_lines(output: str, correct: str, same: bool) -> None:
    assert same_lines(output, correct) is same


@pytest.mark.parametrize(
    ("output", "correct", "same"),
    [
        ("1\n2", " 1   2 \n", True),
        ("yes\nNo", "YES NO", True),
        ("yesterday", "YESterday", False),
        ("1 2", "12", False),
        ("a", "A", False),
        ("\u00a0x", "x", False),
    ],
)
def test_codeforces_words(output: str, correct: str, same: bool) -> None:
    assert same_words(output, correct) is same


def test_codeforces_line_ends() -> None:
    assert without_carriage_returns("1\r\n2 \r\r\n\r3") == "1\n2 \r\n\r3"
    assert without_empty_lines("\n1\n \n\n2") == "1\n \n2\n"
