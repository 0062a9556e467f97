"""Rows for rollouts are read whole or refused with the file, the line and the fix."""

import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit.schemas.recipe import LengthBudgetRecipe
from plaudit_trainer.data import VisitOrder, load_rows


def gsm8k(question="1+1?", answer="It is 1,234.\n#### $1,234"):
    return {"question": question, "answer": answer}


def test_gsm8k_rows_carry_the_final_answer_without_separators(make_recipe, write):
    data = {"format": "gsm8k", "system_prompt": "Think."}
    [row] = load_rows(make_recipe(train=write(gsm8k()), **data))
    assert row.reference == {"answer": "1234"}
    assert [m.role for m in row.prompt] == ["system", "user"]


def test_a_missing_file_names_the_setting(make_recipe, tmp_path):
    with pytest.raises(ConfigError, match=r"data\.train = .*nowhere.*no such file"):
        load_rows(make_recipe(train=str(tmp_path / "nowhere.jsonl")))


def test_an_empty_file_is_refused(make_recipe, write):
    with pytest.raises(ConfigError, match=r"data\.eval.*no rows"):
        load_rows(make_recipe(train="x", eval=write()), "eval")


def test_a_recipe_without_evaluation_has_no_rows_for_it(make_recipe):
    assert load_rows(make_recipe(train="x"), "eval") == []


def test_a_missing_column_names_line_column_and_format(make_recipe, write):
    path = write(gsm8k(), {"question": "?"})
    with pytest.raises(ConfigError, match=r"line 2: column 'answer' is missing.*data\.format"):
        load_rows(make_recipe(train=path, format="gsm8k"))


def test_a_gsm8k_answer_without_its_mark_is_refused(make_recipe, write):
    with pytest.raises(ConfigError, match="####"):
        load_rows(make_recipe(train=write(gsm8k(answer="two")), format="gsm8k"))


def test_a_broken_line_is_named(make_recipe, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "?"')
    with pytest.raises(ConfigError, match="line 1: not JSON"):
        load_rows(make_recipe(train=str(path), format="gsm8k"))


def test_a_wrong_prompt_is_named(make_recipe, write):
    row = {"id": "1", "kind": "k", "prompt": [{"role": "robot", "content": "x"}], "reference": {}}
    with pytest.raises(ConfigError, match=r"line 1: column prompt\.0\.role"):
        load_rows(make_recipe(train=write(row)))


def plaudit_row(number="1", **changes):
    prompt = [{"role": "user", "content": "x"}]
    return {"id": number, "kind": "k", "prompt": prompt, "reference": {}} | changes


def test_an_id_that_is_there_twice_is_named(make_recipe, write):
    path = write(plaudit_row(), plaudit_row("2"), plaudit_row())
    with pytest.raises(ConfigError, match="line 3: id '1' is there twice"):
        load_rows(make_recipe(train=path))


def test_what_an_error_repeats_of_a_row_has_a_bound(make_recipe, write):
    with pytest.raises(ConfigError, match=r"line 1: its id has 999 characters, of at most 256"):
        load_rows(make_recipe(train=write(plaudit_row("x" * 999))))
    with pytest.raises(ConfigError, match="and 68 more") as caught:
        load_rows(make_recipe(train=write({f"{i}{'x' * 999}": i for i in range(100)})))
    assert len(str(caught.value)) < 5000


def test_a_prompt_without_a_message_is_refused(make_recipe, write):
    with pytest.raises(ConfigError, match=r"line 1: column prompt: .*at least 1"):
        load_rows(make_recipe(train=write(plaudit_row(prompt=[])), system_prompt="Think."))


def test_a_file_that_is_no_text_is_named(make_recipe, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"data\.train = .*a\.jsonl.* cannot be read"):
        load_rows(make_recipe(train=str(path)))


def test_only_the_first_rows_are_taken_when_the_recipe_says_so(make_recipe, write):
    path = write(*[plaudit_row(str(i)) for i in range(9)])
    assert [row.id for row in load_rows(make_recipe(train=path, max_rows=2))] == ["0", "1"]


def test_every_epoch_visits_every_row_once_in_its_own_order():
    order = VisitOrder(50, seed=3)
    epochs = [[order.row_index(epoch, i) for i in range(50)] for epoch in range(2)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(50))] * 2
    assert epochs[0] != epochs[1]


def test_the_order_depends_on_the_seed_alone():
    first, again, other = (VisitOrder(50, seed=seed) for seed in (1, 1, 2))
    assert [first.row_index(7, i) for i in range(50)] == [again.row_index(7, i) for i in range(50)]
    assert [first.row_index(7, i) for i in range(50)] != [other.row_index(7, i) for i in range(50)]


BUDGET = LengthBudgetRecipe(min_tokens=100, max_tokens=400)
SHORT = LengthBudgetRecipe(form="max", style="r1", min_tokens=7, max_tokens=7)


def test_each_row_asks_for_a_length_that_its_reference_has(make_recipe, write):
    recipe = make_recipe(train=write(*[gsm8k()] * 50), format="gsm8k", length_budget=BUDGET)
    rows = load_rows(recipe)
    lengths = [row.reference["num_tokens"] for row in rows]
    assert all(
        row.prompt[-1].content == f"1+1? Think for {n} tokens."
        for row, n in zip(rows, lengths, strict=True)
    )
    assert len(set(lengths)) > 30
    assert 100 <= min(lengths) < max(lengths) <= 400
    assert [row.reference for row in load_rows(recipe)] == [row.reference for row in rows]


def test_a_length_of_the_row_itself_stays(make_recipe, write):
    path = write(plaudit_row(reference={"num_tokens": 5}))
    [found] = load_rows(make_recipe(train=path, length_budget=BUDGET))
    assert found.prompt == [Message(role="user", content="x Think for 5 tokens.")]
    path = write(plaudit_row(reference={"num_tokens": "5"}))
    with pytest.raises(ConfigError, match=r"line 1: reference.num_tokens = '5'"):
        load_rows(make_recipe(train=path, length_budget=BUDGET))


def test_a_style_that_does_not_fit_the_prompt_names_line_and_setting(make_recipe, write):
    data = {"train": write(gsm8k()), "format": "gsm8k", "length_budget": SHORT}
    [row] = load_rows(make_recipe(**data, system_prompt="Be brief."))
    assert row.prompt[0].content == "Be brief. Think for a maximum of 7 tokens."
    with pytest.raises(ConfigError, match=r"line 1, data.length_budget: the prompt has no system"):
        load_rows(make_recipe(**data))
