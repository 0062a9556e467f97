"""Rows that are too long for the model: refused, dropped or shortened, and counted."""

import pytest

from plaudit_trainer.data import load, load_rows
from plaudit_trainer.data.formats import CONVERSATIONS, PREFERENCES, ROWS
from plaudit_trainer.data.rendering import load_tokenizer, num_tokens

LIMIT = 40
MARKS = 3
"""Of a prompt of one message: its role, its end, and the role of the answer."""


@pytest.fixture
def tight(make_recipe, tokenizer_dir):
    """`tight("grpo", ...)`: a recipe whose prompts or whole rows have `LIMIT` tokens."""

    def make(method, **data):
        room = LIMIT + 8 if method == "grpo" else LIMIT
        return make_recipe(method, model={"path": tokenizer_dir, "max_model_tokens": room}, **data)

    return make


def prompts(write, *lengths):
    return write(*[{"prompt": "a" * n} for n in lengths])


def lengths_of(rows):
    return [len(row.prompt[-1].content) for row in rows]


def test_rows_are_left_to_the_check_unless_the_recipe_says_otherwise(tight, write):
    assert lengths_of(load_rows(tight("grpo", train=prompts(write, 99), format="prompt"))) == [99]


def test_rows_that_are_too_long_are_dropped_and_counted(tight, write):
    path = prompts(write, LIMIT - MARKS, LIMIT - MARKS + 1, 5)
    loaded = load(ROWS, tight("grpo", train=path, format="prompt", too_long="drop"), "train")
    assert lengths_of(loaded.rows) == [LIMIT - MARKS, 5]
    assert loaded.counts.dropped.by_reason == {"too_long": 1}
    assert loaded.counts.dropped.first == [("too_long", "row '2'")]


def test_rows_that_are_too_long_lose_the_beginning_of_their_question(tight, write, tokenizer_dir):
    path = write({"prompt": "old " * 20 + "the question"})
    loaded = load(ROWS, tight("grpo", train=path, format="prompt", too_long="truncate"), "train")
    [row] = loaded.rows
    assert row.prompt[0].content.endswith("old the question")
    assert num_tokens(load_tokenizer(tokenizer_dir), row, "row") == LIMIT
    assert (loaded.counts.truncated, loaded.counts.rows) == (1, 1)


def test_the_bound_on_rows_counts_those_that_fit(tight, write):
    path = prompts(write, 99, 5, 99, 6, 7)
    recipe = tight("grpo", train=path, format="prompt", too_long="drop", max_rows=2)
    assert lengths_of(load_rows(recipe)) == [5, 6]


def conversation(question, answer):
    roles = {"user": question, "assistant": answer}
    return {"messages": [{"role": role, "content": text} for role, text in roles.items()]}


def test_an_answer_is_never_cut(tight, write):
    path = write(conversation("q" * 50, "a" * 20), conversation("q", "a" * 50))
    recipe = tight("sft", train=path, format="messages", too_long="truncate")
    loaded = load(CONVERSATIONS, recipe, "train")
    [one] = loaded.rows
    assert one.messages[1].content == "a" * 20
    assert 0 < len(one.messages[0].content) < 20
    assert loaded.counts.dropped.by_reason == {"too_long": 1}


def test_the_longer_answer_of_a_pair_decides(tight, write):
    rows = [{"prompt": "q", "chosen": "a" * n, "rejected": "b"} for n in (10, 50)]
    recipe = tight("dpo", train=write(*rows), format="preference", too_long="drop")
    assert [len(pair.chosen) for pair in load(PREFERENCES, recipe, "train").rows] == [10]


def test_prompts_that_take_most_of_the_context_can_be_dropped(tight, write):
    path = write(*[conversation("q" * n, "a") for n in (10, 25, 26)])
    recipe = tight("sft", train=path, format="messages", max_prompt_fraction=0.7)
    loaded = load(CONVERSATIONS, recipe, "train")
    assert [len(one.messages[0].content) for one in loaded.rows] == [10, 25]
    assert loaded.counts.dropped.by_reason == {"long_prompt": 1}
    rollouts = tight("grpo", train=prompts(write, 30, 31), format="prompt", max_prompt_fraction=0.7)
    assert lengths_of(load_rows(rollouts)) == [30]
