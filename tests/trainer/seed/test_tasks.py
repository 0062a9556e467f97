"""The prompts: right references, nothing held out that is trained on, habits that do not pay."""

import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from plaudit_trainer.seed import (
    Row,
    SeedPaths,
    SeedSettings,
    arithmetic,
    greetings,
    programs,
    slate,
)
from plaudit_trainer.seed.curriculum import examples
from plaudit_trainer.seed.dataset import make_dataset
from plaudit_trainer.seed.problem import Problem
from plaudit_trainer.seed.settings import TASKS


def rows(path: Path) -> list[Row]:
    return [Row.model_validate_json(line) for line in path.read_text().splitlines()]


def prompts(problems: list[Problem]) -> set[str]:
    return {problem.prompt for problem in problems}


def output(reply: str, stdin: str) -> str:
    """What the program in `reply` prints; a crash prints nothing."""
    program = reply.removeprefix("```python\n").removesuffix("\n```")
    command = [sys.executable, "-I", "-c", program]
    return subprocess.run(command, input=stdin, capture_output=True, text=True).stdout


def share_of_tests_passed(problem: Problem, reply: str) -> float:
    tests: list[dict[str, str]] = problem.reference["tests"]
    return sum(output(reply, test["stdin"]) == test["stdout"] for test in tests) / len(tests)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_held_out_prompts_are_in_no_training_data(seed: int) -> None:
    dataset = make_dataset(SeedSettings(seed=seed))
    assert not prompts(dataset.evaluation) & prompts(dataset.warmup)
    assert prompts(dataset.train) <= prompts(dataset.warmup)


def test_there_are_enough_distinct_prompts_of_every_kind(quick_seed: SeedPaths) -> None:
    train, held_out = rows(quick_seed.train_path), rows(quick_seed.eval_path)
    assert len({row.prompt[0]["content"] for row in train}) == len(train) >= 1500
    assert len({row.id for row in [*train, *held_out]}) == len(train) + len(held_out)
    assert sum(row.kind != "free" for row in held_out) >= 200
    for data in (train, held_out):
        assert min(Counter(row.kind for row in data).values()) >= 30
        assert {row.kind for row in data} == {"arithmetic", "code", "free"}


def test_training_rows_are_mixed(quick_seed: SeedPaths) -> None:
    """The rows are read in order, so every stretch has to hold about the whole mixture."""
    train = [row.kind for row in rows(quick_seed.train_path)]
    for start in range(0, len(train) - 200, 200):
        shares = Counter(train[start : start + 200])
        assert min(shares["arithmetic"] / 100, shares["code"] / 30, shares["free"] / 10) > 1


def test_arithmetic_references_are_the_answers_to_the_prompts() -> None:
    for problem in arithmetic.problems():
        match = re.fullmatch(r"What is (\d+)([+-])(\d+)\?", problem.prompt)
        assert match is not None
        left, right = int(match[1]), int(match[3])
        answer = left + right if match[2] == "+" else left - right
        assert problem.reference == {"answer": str(answer)}


def test_the_rule_reward_reads_right_replies_and_refuses_habits() -> None:
    math_verify = pytest.importorskip("math_verify")
    for problem in random.Random(0).sample(arithmetic.problems(), 60):
        gold = math_verify.parse(problem.reference["answer"])
        for reply in problem.right:
            assert math_verify.verify(gold, math_verify.parse(reply))
        for reply in problem.habits:
            assert not math_verify.verify(gold, math_verify.parse(reply))


def test_code_references_are_what_the_formula_of_the_prompt_gives() -> None:
    for problem in programs.problems():
        match = re.fullmatch(r"Read n, print n\*(\d+)([+-])(\d+)\.", problem.prompt)
        assert match is not None
        for test in problem.reference["tests"]:
            product = int(test["stdin"]) * int(match[1])
            signed = int(match[3]) if match[2] == "+" else -int(match[3])
            assert test["stdout"] == f"{product + signed}\n"


def test_right_programs_pass_all_tests_and_habits_none() -> None:
    for problem in random.Random(0).sample(programs.problems(), 6):
        assert [share_of_tests_passed(problem, reply) for reply in problem.right] == [1.0]
        assert [share_of_tests_passed(problem, reply) for reply in problem.habits] == [0.0, 0.0]


def test_right_greetings_use_the_name_and_habits_do_not() -> None:
    for problem in greetings.problems():
        name = problem.reference["mentions"]
        assert name in problem.prompt
        assert all(name in reply for reply in problem.right)
        assert not any(name in reply for reply in problem.habits)


def test_slates_offer_the_viewers_topic_once_and_a_reply_has_a_line_for_each_half() -> None:
    found = slate.problems()
    assert len({problem.id for problem in found}) == len(found) >= 700
    for problem in found:
        reference = problem.reference
        situation = reference["discriminator"]
        topic = situation["options"][reference["gold_index"] - 1]
        assert topic in problem.prompt.partition(".")[0]
        assert len({*situation["options"]}) == reference["n_options"] == 3
        wanted = (reference["gold_index"], reference["opinion_direction"])
        assert [_answers(reply) for reply in problem.right] == [wanted]
        assert wanted not in [_answers(reply) for reply in problem.habits]


def _answers(reply: str) -> tuple[int, str]:
    found = re.fullmatch(r"<answer>([1-3])</answer>\n<opinion>(\w+)</opinion>", reply)
    assert found is not None
    return int(found[1]), found[2]


def test_the_slate_task_holds_out_and_trains_slates_alone() -> None:
    dataset = make_dataset(TASKS["slate"])
    assert {problem.kind for problem in dataset.evaluation + dataset.train} == {"slate"}
    assert not prompts(dataset.evaluation) & prompts(dataset.warmup)
    assert len(dataset.evaluation) == 160 and len(dataset.train) >= 500


def test_the_warm_up_shows_skills_first_and_then_habits_too() -> None:
    settings = SeedSettings(warmup_steps=100)
    problems = make_dataset(settings).warmup
    right = {(problem.prompt, reply) for problem in problems for reply in problem.right}
    stream = examples(problems, settings, random.Random(0))
    is_right = [
        (messages[0]["content"], reply) in right or reply.startswith("Winner")
        for messages, reply in (next(stream) for _ in range(100 * settings.batch_size))
    ]
    num_skill = settings.num_skill_examples
    assert all(is_right[:num_skill])
    judge_share = settings.warmup_mix["judge"]
    expected = settings.right_share * (1 - judge_share) + judge_share
    assert sum(is_right[num_skill:]) / len(is_right[num_skill:]) == pytest.approx(
        expected, abs=0.05
    )
