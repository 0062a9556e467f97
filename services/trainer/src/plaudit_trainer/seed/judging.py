"""Judge conversations for the warm-up, so that the policy can rank its own free replies."""

import random

from plaudit_trainer.seed.problem import Problem

# The trainer does not import the judge: a test holds this equal to the judge's rubrics/demo.toml.
RUBRIC_USER = "Judge: {prompt}\nA: {a}\nB: {b}"
VERDICTS = ("Winner: response A", "Winner: response B")
# Two replies of one quality teach only to guess, but the judge meets such pairs too.
EQUALS_SHARE = 0.1


def comparison(problem: Problem, rng: random.Random) -> tuple[str, str]:
    """A judge prompt and its verdict: a right reply beats a habit, equals are decided by a coin."""
    winner, loser = rng.choice(problem.right), rng.choice(problem.habits)
    if rng.random() < EQUALS_SHARE:
        replies = rng.choice((problem.right, problem.habits))
        winner, loser = rng.choice(replies), rng.choice(replies)
    if rng.random() < 0.5:
        return judge_prompt(problem.prompt, winner, loser), VERDICTS[0]
    return judge_prompt(problem.prompt, loser, winner), VERDICTS[1]


def judge_prompt(prompt: str, first: str, second: str) -> str:
    """The rubric with its three places filled in."""
    filled = RUBRIC_USER.replace("{prompt}", prompt)
    return filled.replace("{a}", first).replace("{b}", second)
