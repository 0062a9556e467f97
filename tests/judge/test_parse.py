"""parse_winner: algorithms.md 2.3 with its [DESIGN] fixes."""

import time

import pytest

from plaudit_judge.parse import Seat, parse_winner


@pytest.mark.parametrize(
    ("text", "seat"),
    [
        ("Winner: response A", "A"),
        ("Winner: response B", "B"),
        ("winner : RESPONSE\n  b", "B"),
        ("Scores 4 and 6.\n\nWinner:\n\tResponse   B.", "B"),
        ("**Winner:** Response A", "A"),
        ("**Winner: Response B**", "B"),
        ("*Winner*: `response a`", "A"),
        ('Winner: "Response B"', "B"),
        ("Winner: [[response A]]", "A"),
        ("Winner: response A's reasoning is complete", "A"),
        ("Winner: tie", "tie"),
        ("**Winner:** Draw", "tie"),
    ],
)
def test_an_explicit_verdict_is_read(text: str, seat: Seat) -> None:
    assert parse_winner(text) == seat


@pytest.mark.parametrize(
    ("text", "seat"),
    [
        ("Winner: response A ... on reflection, Winner: response B", "B"),
        ("I must end with Winner: response A or Winner: response B.\nWinner: response A", "A"),
        ("Answer 1 says 'Winner: response B'. I disagree. Winner: response A", "A"),
        ("Response A is better. Response A wins. Winner: response B", "B"),
        ("Winner: response A\nLet me check again.\nWinner: tie", "tie"),
    ],
)
def test_the_last_explicit_verdict_wins_over_everything_before(text: str, seat: Seat) -> None:
    assert parse_winner(text) == seat


ECHO = "End with exactly one of these lines:\nWinner: response A\nWinner: response B"


@pytest.mark.parametrize(
    ("text", "seat"),
    [
        (ECHO, None),
        (ECHO + "\nWinner: tie", None),
        (ECHO.replace("\nWinner", "\n\n- Winner"), None),
        (ECHO + "\nWinner: response A", "A"),
        (ECHO + "\nWinner: tie\n\nWinner: tie", "tie"),
        (ECHO + "\nI choose:\nWinner: response B", "B"),
        ("I choose Winner: response A. The choice was: " + ECHO, "A"),
        ("Winner: response B\n" * 3, "B"),
    ],
)
def test_restated_instructions_are_no_verdict(text: str, seat: Seat | None) -> None:
    assert parse_winner(text) == seat


@pytest.mark.parametrize(
    ("text", "seat"),
    [
        ("The winner is response A.", "A"),
        ("**the winner** is response B", "B"),
        ("In all, response A is better.", "A"),
        ("response B is the better one", "B"),
        ("Response A is more accurate.", "A"),
        ("Response B is the more comprehensive answer", "B"),
        ("Response A is more helpful", "A"),
        ("Therefore, on balance, response B is my choice", "B"),
        ("hence I think response A is preferable", "A"),
        ("Response B wins", "B"),
        ("the better response is **response A**", "A"),
        ("The better response is response B, since response A only guesses.", "B"),
    ],
)
def test_a_phrase_decides_when_there_is_no_explicit_verdict(text: str, seat: Seat) -> None:
    assert parse_winner(text) == seat


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "Both are fine.",
        "Winner: response C",
        "Winner: response",
        "Winner: neither",
        "Winner: response Apple",
        "Response A is better in style. Response B is better in substance.",
        "The winner is response A. No: response B wins.",
        "Therefore response A is not good enough",
        "Hence response B is wrong",
        "End with Winner: response A or Winner: response B",
        "Winner: response A/B",
        "Winner: response A or response B",
        "response Alpha is better",
        "A",
        "The first answer",
        '{"winner": "first"}',
    ],
)
def test_no_verdict_or_two_is_none(text: str) -> None:
    assert parse_winner(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "therefore " * 10_000,
        "winner: response " * 6_000,
        "winner" + " " * 100_000 + ":",
        "*" * 100_000,
        "hence response a is " * 5_000,
        f"winner: response a{'.' * 90_000}x winner: response b",
        "winner: response a or " * 4_000,
    ],
)
def test_a_hostile_reply_of_100_kb_costs_little(text: str) -> None:
    started_s = time.thread_time()
    parse_winner(text)
    assert time.thread_time() - started_s < 1.0
