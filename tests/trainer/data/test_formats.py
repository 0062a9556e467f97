"""Each format is read from a small file in the shape in which it is published."""

from collections import Counter
from typing import Any

import pytest

from plaudit.errors import ConfigError
from plaudit_reward.rewards.unit_tests import Reference
from plaudit_trainer.data import (
    load,
    load_conversations,
    load_labelled,
    load_preferences,
    load_rows,
)
from plaudit_trainer.data.formats import CONVERSATIONS, PREFERENCES


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def said(messages):
    return [(message.role, message.content) for message in messages]


OPENR1 = {
    "problem": "What is $1+1$?", "solution": "It is 2.", "answer": "2", "problem_type": "Algebra",
    "question_type": "math-word-problem", "source": "olympiads", "uuid": "u-1",
    "is_reasoning_complete": [True, False, True], "finish_reasons": ["stop", "length", "stop"],
    "generations": ["<think>3</think> 3", "<think>2", "<think>2</think> \\boxed{2}"],
    "correctness_math_verify": [False, True, True], "correctness_llama": None,
    "correctness_count": 2,
    "messages": [user("What is $1+1$?"), assistant("<think>3</think> 3")],
}  # fmt: skip


def test_openr1_math_asks_the_problem(make_recipe, write):
    path = write(OPENR1, OPENR1 | {"answer": None})
    [row] = load_rows(make_recipe(train=path, format="openr1_math", columns={"id": "uuid"}))
    assert (row.id, row.kind, row.reference) == ("u-1", "math", {"answer": "2"})
    assert said(row.prompt) == [("user", "What is $1+1$?")]


def test_openr1_math_teaches_the_first_generation_that_is_whole_and_right(make_recipe, write):
    path = write(OPENR1, OPENR1 | {"correctness_math_verify": [False, True, False]})
    loaded = load(CONVERSATIONS, make_recipe("sft", train=path, format="openr1_math"), "train")
    [one] = loaded.rows
    assert one.messages[-1].content == "<think>2</think> \\boxed{2}"
    assert loaded.counts.dropped.by_reason == {"no_correct_generation": 1}


def test_gsm8k_teaches_its_worked_solution(make_recipe, write):
    path = write({"question": "1+1?", "answer": "1+1 = <<1+1=2>>2\n#### 2"})
    [one] = load_conversations(make_recipe("sft", train=path, format="gsm8k"))
    assert said(one.messages) == [("user", "1+1?"), ("assistant", "1+1 = <<1+1=2>>2\n#### 2")]


SMOLTALK = [
    {"messages": [user("Hi"), assistant("Hello")], "source": "everyday-conversations"},
    {"messages": [user("Hi"), assistant("Hello"), user("Bye"), assistant("Bye")], "source": "x"},
    {"messages": [{"role": "system", "content": "Be kind."}, user("Hi"), assistant("Hello")]},
    {"messages": [user("Hi"), {"role": "tool", "content": "{}"}, assistant("Hello")]},
    {"messages": [user("Hi")]},
]


def test_smoltalk_teaches_whole_conversations(make_recipe, write):
    recipe = make_recipe("sft", train=write(*SMOLTALK), format="messages")
    loaded = load(CONVERSATIONS, recipe, "train")
    assert [len(one.messages) for one in loaded.rows] == [2, 4, 3]
    assert loaded.counts.dropped.by_reason == {"unknown_role": 1, "no_answer": 1}


def test_smoltalk_can_be_kept_to_one_turn(make_recipe, write):
    recipe = make_recipe("sft", train=write(*SMOLTALK), format="messages", single_turn=True)
    [one] = load_conversations(recipe)
    assert said(one.messages) == [("user", "Hi"), ("assistant", "Hello")]
    recipe = make_recipe(train=write(*SMOLTALK), format="messages", single_turn=True)
    assert len(load_rows(recipe)) == 1


def test_conversations_also_give_prompts_without_their_last_answer(make_recipe, write):
    rows = load_rows(make_recipe(train=write(*SMOLTALK[:3]), format="messages"))
    assert [said(row.prompt)[-1] for row in rows] == [
        ("user", "Hi"),
        ("user", "Bye"),
        ("user", "Hi"),
    ]
    assert {row.kind for row in rows} == {"free"}


ULTRAFEEDBACK = {
    "prompt": "Which is bigger?", "prompt_id": "p-1",
    "chosen": [user("Which is bigger?"), assistant("The sun.")],
    "rejected": [user("Which is bigger?"), assistant("The moon.")],
    "messages": [user("Which is bigger?"), assistant("The sun.")],
    "score_chosen": 8.5, "score_rejected": 6.0,
}  # fmt: skip


def test_ultrafeedback_has_its_prompt_once_and_a_margin(make_recipe, write):
    path = write(ULTRAFEEDBACK)
    [pair] = load_preferences(make_recipe("dpo", train=path, format="ultrafeedback"))
    assert said(pair.prompt) == [("user", "Which is bigger?")]
    assert (pair.chosen, pair.rejected, pair.margin) == ("The sun.", "The moon.", 2.5)


def test_ultrafeedback_pairs_without_a_difference_are_dropped_and_counted(make_recipe, write):
    other = [user("Another?"), assistant("The moon.")]
    changes: list[dict[str, Any]] = [
        {"rejected": ULTRAFEEDBACK["chosen"]}, {"rejected": other}, {"chosen": []}, {},
    ]  # fmt: skip
    path = write(*[ULTRAFEEDBACK | change for change in changes])
    loaded = load(PREFERENCES, make_recipe("dpo", train=path, format="ultrafeedback"), "train")
    assert len(loaded.rows) == 1
    assert loaded.counts.dropped.by_reason == Counter(
        equal_answers=1, prompts_differ=1, no_answer=1
    )
    assert loaded.counts.dropped.first[0] == ("equal_answers", f"data.train = {path!r}, line 1")


def test_ultrafeedback_also_gives_prompts_and_conversations(make_recipe, write):
    path = write(ULTRAFEEDBACK)
    [row] = load_rows(make_recipe(train=path, format="ultrafeedback"))
    assert said(row.prompt) == [("user", "Which is bigger?")]
    [one] = load_conversations(make_recipe("sft", train=path, format="ultrafeedback"))
    assert one.messages[-1].content == "The sun."


PAIR = [("user", "Sky?")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Sky?", "chosen": "Blue.", "rejected": "Green."},
        {
            "prompt": [user("Sky?")],
            "chosen": [assistant("Blue.")],
            "rejected": [assistant("Green.")],
        },
        {
            "chosen": [user("Sky?"), assistant("Blue.")],
            "rejected": [user("Sky?"), assistant("Green.")],
        },
        {
            "prompt": "Sky?",
            "chosen": [user("Sky?"), assistant("Blue.")],
            "rejected": [user("Sky?"), assistant("Green.")],
        },
    ],
)
def test_preference_pairs_of_trl_are_read_in_each_of_their_forms(make_recipe, write, row):
    [pair] = load_preferences(make_recipe("dpo", train=write(row), format="preference"))
    assert (said(pair.prompt), pair.chosen, pair.rejected) == (PAIR, "Blue.", "Green.")
    assert pair.margin is None


def test_an_implicit_prompt_of_texts_is_what_trl_finds(make_recipe, write):
    """The values are of TRL's `extract_prompt`."""
    row = {"chosen": "Sky? It is blue.", "rejected": "Sky? It is green."}
    [pair] = load_preferences(make_recipe("dpo", train=write(row), format="preference"))
    assert said(pair.prompt) == [("user", "Sky? It is")]
    assert (pair.chosen, pair.rejected) == (" blue.", " green.")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"prompt": "Sky?", "chosen": "Blue.", "rejected": "Blue."}, "chosen and rejected are the"),
        ({"prompt": "Sky?", "chosen": [user("x")], "rejected": [assistant("y")]}, "column chosen"),
        ({"prompt": "Sky?", "chosen": [], "rejected": []}, "column chosen"),
        ({"chosen": "Blue."}, "column 'rejected' is missing"),
    ],
)
def test_a_pair_that_is_none_is_named(make_recipe, write, row, what):
    with pytest.raises(ConfigError, match=f"line 1: .*{what}"):
        load_preferences(make_recipe("dpo", train=write(row), format="preference"))


@pytest.mark.parametrize("completion", ["Blue.", [assistant("Blue.")]])
def test_labelled_answers_of_trl(make_recipe, write, completion):
    row = {"prompt": "Sky?", "completion": completion, "label": False}
    [one] = load_labelled(make_recipe("kto", train=write(row), format="labelled"))
    assert (said(one.prompt), one.completion, one.label) == (PAIR, "Blue.", False)


def test_prompts_alone_bring_what_else_they_have_to_the_rewards(make_recipe, write):
    row = {"prompt": "Sky?", "answer": "blue", "kind": "colour", "levels": [1, 2]}
    [found] = load_rows(make_recipe(train=write(row), format="prompt"))
    assert (said(found.prompt), found.kind) == (PAIR, "colour")
    assert found.reference == {"answer": "blue", "levels": [1, 2]}


def test_the_recipe_may_name_the_kind(make_recipe, write):
    path = write({"prompt": "Sky?", "kind": "colour"})
    [found] = load_rows(make_recipe(train=path, format="prompt", kind="mine"))
    assert found.kind == "mine"


HUMANEVAL = {
    "task_id": "HumanEval/0", "prompt": 'def add(a, b):\n    """Sum."""\n', "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}  # fmt: skip
MBPP = {
    "task_id": 11, "text": "Write a function to add.", "code": "def add(a, b):\n    return a + b",
    "test_list": ["assert add(1, 2) == 3", "assert add(2, 2) == 4"],
    "test_setup_code": "import math", "challenge_test_list": [],
}  # fmt: skip


def test_humaneval_brings_what_its_reward_runs(make_recipe, write):
    [row] = load_rows(make_recipe(train=write(HUMANEVAL), format="humaneval"))
    assert (row.id, row.kind) == ("HumanEval/0", "code")
    assert row.reference == {name: HUMANEVAL[name] for name in ("prompt", "test", "entry_point")}
    assert '```python\ndef add(a, b):\n    """Sum."""\n```' in row.prompt[0].content


def test_mbpp_brings_what_its_reward_runs(make_recipe, write):
    path = write(MBPP, MBPP | {"task_id": 12, "test_list": ["assert True"]})
    [row] = load_rows(make_recipe(train=path, format="mbpp"))
    assert row.reference["entry_point"] == "add"
    assert row.reference["test"].splitlines() == [
        "import math",
        "assert add(1, 2) == 3",
        "assert add(2, 2) == 4",
    ]
    assert row.prompt[0].content.startswith("Write a function to add.\n")
    assert row.prompt[0].content.endswith("assert add(1, 2) == 3\nassert add(2, 2) == 4\n```")


@pytest.mark.parametrize(("row", "data_format"), [(HUMANEVAL, "humaneval"), (MBPP, "mbpp")])
def test_the_reward_of_unit_tests_takes_these_references(make_recipe, write, row, data_format):
    [found] = load_rows(make_recipe(train=write(row), format=data_format))
    assert Reference.model_validate(found.reference).entry_point == "add"
