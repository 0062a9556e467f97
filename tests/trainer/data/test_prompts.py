"""What a prompt is made of, from the row and from the recipe."""

import pytest

from plaudit.errors import ConfigError
from plaudit_trainer.data import load_conversations, load_preferences, load_rows
from plaudit_trainer.data.prompts.templates import MAX_PROMPT_CHARS, shipped, shipped_names

ROW = {"question": "1+1?", "answer": "#### 2", "level": "easy"}


def built(make_recipe, write, *rows, **data):
    [found] = load_rows(make_recipe(train=write(*(rows or [ROW])), format="gsm8k", **data))
    return [message.content for message in found.prompt]


def test_a_template_has_the_columns_of_the_row_and_its_prompt(make_recipe, write):
    template = "[{{ level }}] {{ prompt }}{% if answer %} ({{ answer|length }}){% endif %}"
    assert built(make_recipe, write, prompt_template=template) == ["[easy] 1+1? (6)"]


def test_a_template_may_be_one_of_plaudits_own_or_a_file(make_recipe, write, tmp_path):
    assert built(make_recipe, write, prompt_template="l1") == [
        "1+1? Let's think step by step and output the final answer within \\boxed{}."
    ]
    (tmp_path / "mine.jinja").write_text("Q: {{ prompt }}\n")
    assert built(make_recipe, write, prompt_template=str(tmp_path / "mine.jinja")) == ["Q: 1+1?"]


def test_a_system_prompt_is_a_text_a_name_or_a_file(make_recipe, write, tmp_path):
    braces = "Write {{x}} and \\boxed{}."
    assert built(make_recipe, write, system_prompt=braces) == [braces, "1+1?"]
    assert built(make_recipe, write, system_prompt="r1")[0] == (
        "Respond in the following format:\n<reasoning>\n...\n</reasoning>\n<answer>\n...\n</answer>"
    )
    assert "<think>\n...\n</think>\n<answer>" in built(make_recipe, write, system_prompt="sr_r1")[0]
    (tmp_path / "s.jinja").write_text("Level: {{ level }}.")
    path = str(tmp_path / "s.jinja")
    assert built(make_recipe, write, system_prompt=path)[0] == "Level: easy."


def test_a_row_keeps_a_system_prompt_of_its_own(make_recipe, write):
    messages = [{"role": "system", "content": "Mine."}, {"role": "user", "content": "Hi"}]
    recipe = make_recipe(
        train=write({"prompt": messages}), format="prompt", system_prompt="Theirs."
    )
    assert [m.content for m in load_rows(recipe)[0].prompt] == ["Mine.", "Hi"]


def test_a_template_rewrites_what_begins_a_conversation(make_recipe, write):
    roles = ("user", "assistant", "user", "assistant")
    messages = [{"role": role, "content": str(i)} for i, role in enumerate(roles)]
    recipe = make_recipe(
        "sft",
        train=write({"messages": messages}),
        format="messages",
        prompt_template="Q: {{ prompt }}",
        system_prompt="S",
    )
    [found] = load_conversations(recipe)
    assert [m.content for m in found.messages] == ["S", "Q: 0", "1", "2", "3"]


def test_both_answers_of_a_pair_follow_the_built_prompt(make_recipe, write):
    row = {"prompt": "Sky?", "chosen": "Blue.", "rejected": "Green."}
    data = {"format": "preference", "prompt_template": "Q: {{ prompt }}"}
    [pair] = load_preferences(make_recipe("dpo", train=write(row), **data))
    assert (pair.prompt[0].content, pair.chosen) == ("Q: Sky?", "Blue.")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ prompt", "data.prompt_template: not a jinja2 template"),
        ("{{ nothing }}", r"line 1: data.prompt_template: .*'nothing' is undefined.*'level'"),
        ("{{ level + 1 }}", r"line 1: data.prompt_template: TypeError"),
        ("{{ ().__class__.__base__ }}", "SecurityError"),
        ("{{ 'x' * 3000000 }}", f"3000000 characters, of at most {MAX_PROMPT_CHARS}"),
        ("nowhere.jinja", r"data.prompt_template = 'nowhere.jinja' cannot be read"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(make_recipe, write, template, said):
    with pytest.raises(ConfigError, match=said):
        built(make_recipe, write, prompt_template=template)


def test_hostile_rows_are_values_and_not_templates(make_recipe, write):
    row = ROW | {"question": "{{ 7 * 7 }}{% for"}
    assert built(make_recipe, write, row, prompt_template="{{ prompt }}") == [row["question"]]


def test_the_length_stands_behind_the_template(make_recipe, write):
    budget = {"min_tokens": 9, "max_tokens": 9}
    found = built(make_recipe, write, prompt_template="Q: {{ prompt }}", length_budget=budget)
    assert found == ["Q: 1+1? Think for 9 tokens."]


def test_all_shipped_templates_compile():
    names = {folder: shipped_names(folder) for folder in ("system", "prompt")}
    assert names["system"] == ["grail", "r1", "sr_r1"]
    for folder, found in names.items():
        assert all(shipped(f"{folder}/{name}") for name in found)
