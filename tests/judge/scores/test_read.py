"""Scores out of replies: in words, tables and JSON; what is no score; which of two counts."""

import json
import time
from typing import Any

import pytest

from plaudit.schemas.judge import Scale
from plaudit_judge.scores.read import read_scores

FIVE = Scale(min=1, max=5)
TWO = {"correctness": FIVE, "key_ideas": FIVE}
ONE = {"score": Scale(min=0, max=5)}
WANTED = {"correctness": 4.0, "key_ideas": 3.0}


def one(text: str, scales: dict[str, Scale] = TWO, *, structured: bool = False) -> dict[str, Any]:
    (found,) = read_scores(text, 1, scales, structured=structured).scores
    return found


def several(text: str, scales: dict[str, Scale] = TWO, num_responses: int = 2) -> list[Any]:
    found = read_scores(text, num_responses, scales, structured=False).scores
    return [list(scores.values()) for scores in found]


@pytest.mark.parametrize(
    "text",
    [
        "It is right.\n\ncorrectness: 4\nkey_ideas: 3",
        "Correctness: 4/5\nKey ideas: 3/5",
        "- **Correctness:** 4\n- **Key ideas:** 3",
        "1. Correctness = 4.0 points\n2. Key_Ideas = 3 points",
        "correctness: 4, key ideas: 3",
        "correctness 4; key ideas 3",
        "Scores: correctness: 4, key ideas: 3",
        "Correctness (1-5): 4\nKey ideas (weight 2): 3",
        "Correctness (4/5): no errors.\nKey ideas (3/5): one is missing.",
        "### Correctness: 4 out of 5\nAll steps hold.\n### Key ideas score: 3 out of 5\nOne lacks.",
        "Correctness: 4 - two slips. Key ideas: see below.\nKey ideas: 3. One of 2 is missing.",
        "correctness – 4\nkey ideas — 3",  # noqa: RUF001
        "key_ideas: 3\ncorrectness: 4",
        "| Criterion | Score |\n|---|---|\n| Correctness | 4 |\n| Key ideas | **3** |",
        "| Criterion | Remarks | Score (1-5) |\n|:-|:-|-:|\n| Correctness | good | 4/5 |\n"
        "| Key ideas | meh | 3/5 |",
        "| correctness | key_ideas |\n|---|---|\n| 4 | 3 |",
        '```json\n{"reasons": "", "scores": {"correctness": 4, "key_ideas": 3}}\n```',
        '{"correctness": 4, "key_ideas": 3}',
        'I think:\n{"correctness": 4, "key_ideas": 3}',
        'I think:\n{\n  "correctness": 4,\n  "key_ideas": 3\n}',
        "correctness: 4\nkey_ideas: 3\n\nOverall: 5\nTotal score: 5/5",
    ],
)
def test_scores_are_read(text: str) -> None:
    assert one(text) == WANTED


@pytest.mark.parametrize(
    "text",
    [
        "Score: 3",
        "**Score: 3/5**",
        "The response is useful.\n\nScore: 3 points",
        '"Score: 3"',
        "Total score: 3 out of 5",
        "Rating: 3.",
        "Score: 1 for relevance\nScore: 3",
        "| Score |\n|---|\n| 3 |",
    ],
)
def test_the_only_criterion_may_be_called_score(text: str) -> None:
    assert one(text, ONE) == {"score": 3.0}
    assert one(text, {"usefulness": FIVE}) == {"usefulness": 3.0}


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "6",
        "-3",
        "55",
        "1e9",
        "4/10",
        "4 of 6",
        "40%",
        "4.2.1",
        "nan",
        "inf",
        "9999999",
        "five",
    ],
)
def test_what_is_off_the_scale_is_missing_and_not_moved_onto_it(number: str) -> None:
    assert one(f"correctness: {number}\nkey_ideas: 3") == {"correctness": None, "key_ideas": 3.0}


@pytest.mark.parametrize(
    "value", [0, 6, -3, 10**400, "4", True, None, float("nan"), float("inf"), [4], {"score": 4}]
)
def test_json_off_the_scale_is_missing_too(value: Any) -> None:
    text = json.dumps({"reasons": "", "scores": {"correctness": value, "key_ideas": 3}})
    assert one(text, structured=True) == {"correctness": None, "key_ideas": 3.0}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "correctness: <number>\nkey_ideas: <number>",
        "correctness: 1 to 5\nkey_ideas: 1-5",
        "correctness: 1–5\nkey_ideas: 1..5",  # noqa: RUF001
        "correctness: 4 or 5\nkey_ideas: 3 / 4 / 5",
        "correctness (1 to 5): no errors\nkey_ideas (1 to 5): all named",
        "1. correctness (1 to 5): Its calculations and its final result are right.",
        "I would not say correctness: 4 here, nor would I say key ideas: 3.",
        "correctness: 4 steps are right\nkey_ideas: 3 are missing",
        "Score: 4",
        "correct: 4\nideas: 3",
        "4\n3",
        '{"reasons": "correctness: 4, key_ideas: 3", "scores": {',
        '{"reasons": "x", "scores": [4, 3]}',
        '{"scores": "correctness: 4"}',
    ],
)
def test_an_echo_or_a_remark_is_no_score(text: str) -> None:
    found = one(text, structured=text.startswith("{"))
    assert [found.get(name) for name in TWO] == [None, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("correctness: 5\nkey_ideas: 5\nNo:\ncorrectness: 4\nkey_ideas: 3", WANTED),
        ("It says key_ideas: 5\n> key_ideas: 5\ncorrectness: 4\nkey_ideas: 3", WANTED),
        ("correctness: 5\n\ncorrectness: 4\nkey_ideas: 3", WANTED),
        # Cut off in its own scores, after a quotation.
        ("correctness: 5\nkey_ideas: 5\nNo:\ncorrectness: 4", {"correctness": 4.0}),
        ("correctness: 5\nkey_ideas: 5\nNo:\nkey_ideas: 3", {"key_ideas": 3.0}),
        ("correctness: 4\nkey_ideas: 3\n" * 5, WANTED),
    ],
)
def test_the_last_run_of_scores_counts(text: str, expected: dict[str, float]) -> None:
    assert one(text) == {"correctness": None, "key_ideas": None} | expected


@pytest.mark.parametrize(
    "text",
    [
        "Response A: correctness: 4, key_ideas: 3\nResponse B: correctness: 2, key_ideas: 1",
        "**Response A:** correctness 4, key ideas 3\n**Response B:** correctness 2, key ideas 1",
        "Answer B: correctness: 2 (bad), key ideas: 1\nAnswer A - correctness: 4, key ideas: 3",
        "A: correctness: 4/5, key ideas: 3/5\nB: correctness: 2/5, key ideas: 1/5",
        "## Response A\nGood.\ncorrectness: 4\nkey ideas: 3\n\n## Response B\n"
        "Poor.\ncorrectness: 2\nkey ideas: 1",
        "| Response | correctness | key_ideas |\n|---|---|---|\n| A | 4 | 3 |\n| B | 2 | 1 |",
        "| | Response A | B |\n|---|---|---|\n| Correctness | 4 | 2 |\n| Key ideas | 3 | 1 |",
        '{"scores": {"A": {"correctness": 4, "key_ideas": 3}, "B": {"correctness": 2, '
        '"key_ideas": 1}}}',
        '{"A": {"correctness": 4, "key_ideas": 3}, "B": {"correctness": 2, "key_ideas": 1}}',
    ],
)
def test_scores_of_several_answers_are_read(text: str) -> None:
    assert several(text) == [[4.0, 3.0], [2.0, 1.0]]


@pytest.mark.parametrize(
    "text",
    [
        "Response A: 4\nResponse B: 2",
        "A: 4/5\nB: 2/5",
        "Response A: score: 4\nResponse B: score: 2",
        "| Response | Score |\n|---|---|\n| A | 4 |\n| B | 2 |",
        "Response A is useful.\nScore: 4\n\nResponse B is not.\nScore: 2",
    ],
)
def test_the_only_criterion_need_not_be_named_beside_an_answer(text: str) -> None:
    assert several(text, ONE) == [[4.0], [2.0]]


def test_an_answer_that_was_left_out_has_no_scores() -> None:
    text = "Response A: correctness: 4, key_ideas: 3\nResponse C: correctness: 2, key_ideas: 1"
    assert several(text, num_responses=3) == [[4.0, 3.0], [None, None], [2.0, 1.0]]
    assert several(text, num_responses=2) == [[4.0, 3.0], [None, None]]


def test_an_answer_left_out_is_not_filled_in_from_a_quotation() -> None:
    quoted = "Response A: correctness: 5, key_ideas: 5\nResponse B: correctness: 5, key_ideas: 5\n"
    text = quoted + "So it says.\nResponse A: correctness: 4, key_ideas: 3"
    assert several(text) == [[4.0, 3.0], [None, None]]


def test_prose_about_an_answer_is_no_score_of_it() -> None:
    text = "Response B claims correctness: 5.\na) correctness: see B\nResponse A is 4 lines long"
    assert several(text) == [[None, None], [None, None]]


@pytest.mark.parametrize(
    "text",
    [
        "correctness: 4\n" * 6_000,
        "correctness" * 9_000,
        "| correctness " * 7_000,
        ("| correctness " * 100 + "\n") * 70,
        f"| b | {'correctness ' * 3_000} |\n" + "| 1 | 2 |\n" * 6_000,
        "correctness (" * 7_000,
        "correctness: 4, " * 6_000,
        "response a " * 9_000,
        "response a:\n" * 8_000,
        "1" * 100_000,
        "correctness: " + "1" * 100_000,
        "\n" * 100_000,
        '{"scores":' * 10_000,
    ],
)
def test_a_hostile_reply_of_100_kb_costs_little(text: str) -> None:
    started_s = time.thread_time()
    several(text)
    one(text)
    assert time.thread_time() - started_s < 1.0
