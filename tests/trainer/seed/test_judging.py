"""The judge conversations of the warm-up, and the rubric that they have to match."""

import random
import tomllib
from pathlib import Path

from plaudit_trainer.seed.greetings import problems
from plaudit_trainer.seed.judging import RUBRIC_USER, VERDICTS, comparison, judge_prompt

RUBRICS = Path(__file__).parents[3] / "services/judge/src/plaudit_judge/rubrics"


def test_the_warm_up_uses_the_text_of_the_demo_rubric() -> None:
    rubric = tomllib.loads((RUBRICS / "demo.toml").read_text(encoding="utf-8"))
    assert rubric["pairwise"]["user"] == RUBRIC_USER
    assert rubric["pairwise"]["system"] == ""


def test_a_judge_prompt_names_the_request_and_both_replies() -> None:
    filled = judge_prompt("Greet Bob.", "Hello, Bob.", "Hello.")
    assert filled == "Judge: Greet Bob.\nA: Hello, Bob.\nB: Hello."


def test_the_reply_that_uses_the_name_wins_in_either_place() -> None:
    rng = random.Random(0)
    problem = next(item for item in problems() if item.reference["mentions"] == "Bob")
    seen = dict.fromkeys(VERDICTS, 0)
    for _ in range(200):
        prompt, verdict = comparison(problem, rng)
        _, first, second = prompt.split("\n")
        seen[verdict] += 1
        if ("Bob" in first) != ("Bob" in second):
            assert verdict == VERDICTS[0 if "Bob" in first else 1]
    assert min(seen.values()) > 70
