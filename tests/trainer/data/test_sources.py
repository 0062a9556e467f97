"""Where rows are read from, and which of them are kept."""

import gzip
import json
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet

from plaudit.errors import ConfigError
from plaudit_trainer.data import load_rows
from plaudit_trainer.data.files import MAX_LINE_BYTES

ROWS = [{"question": f"{i}+1?", "answer": f"#### {i + 1}", "level": i} for i in range(6)]


def questions(recipe):
    return [row.prompt[-1].content for row in load_rows(recipe)]


def all_questions():
    return [row["question"] for row in ROWS]


def test_parquet_and_compressed_lines_hold_what_lines_hold(make_recipe, tmp_path):
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in ROWS)
    for name in ("a.parquet", "a.jsonl.gz"):
        recipe = make_recipe(train=str(tmp_path / name), format="gsm8k")
        assert questions(recipe) == all_questions()


def test_a_saved_data_set_is_read_by_its_split(make_recipe, tmp_path):
    saved = datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)})
    saved.save_to_disk(tmp_path / "saved")
    path = str(tmp_path / "saved")
    assert questions(make_recipe(train=path, format="gsm8k")) == all_questions()
    with pytest.raises(ConfigError, match=r"data.train = .*split 'test'.*splits \['train'\]"):
        load_rows(make_recipe(train=path, train_split="test", format="gsm8k"))


def test_files_of_a_directory_are_read_in_the_order_of_their_names(
    make_recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    directory = tmp_path / "parts"
    directory.mkdir()
    for i in (2, 0, 1):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS[2 * i : 2 * i + 2])
        (directory / f"train-{i}.jsonl").write_text(lines)
    recipe = make_recipe(train=str(directory), format="gsm8k")
    assert questions(recipe) == all_questions()


def test_a_broken_parquet_file_is_named(make_recipe, tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(ConfigError, match=r"data\.train = .*a\.parquet.* cannot be read"):
        load_rows(make_recipe(train=str(path)))


def test_a_broken_archive_is_named(make_recipe, tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ROWS[0]).encode() + b"\n")[:-9])
    with pytest.raises(ConfigError, match=r"a\.jsonl\.gz.* cannot be read"):
        load_rows(make_recipe(train=str(path), format="gsm8k"))


def test_a_line_has_a_bound(make_recipe, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"question": "{"x" * MAX_LINE_BYTES}"}}')
    with pytest.raises(ConfigError, match=rf"line 1: over {MAX_LINE_BYTES} bytes"):
        load_rows(make_recipe(train=str(path), format="gsm8k"))


def test_columns_are_read_by_the_names_of_the_format(make_recipe, write):
    rows = [
        {"q": row["question"], "a": row["answer"], "uuid": f"u{i}"} for i, row in enumerate(ROWS)
    ]
    columns = {"question": "q", "answer": "a", "id": "uuid"}
    recipe = make_recipe(train=write(*rows), format="gsm8k", columns=columns)
    assert [row.id for row in load_rows(recipe)] == [f"u{i}" for i in range(6)]
    assert questions(recipe) == all_questions()


def test_a_mapped_column_has_its_new_name_only(make_recipe, write):
    columns = {"prompt": "question"}
    recipe = make_recipe(train=write(ROWS[0]), format="prompt", columns=columns)
    [row] = load_rows(recipe)
    assert row.reference == {"answer": "#### 1", "level": 0}


def test_columns_may_change_places(make_recipe, write):
    rows = [{"question": row["answer"], "answer": row["question"]} for row in ROWS]
    columns = {"question": "answer", "answer": "question"}
    recipe = make_recipe(train=write(*rows), format="gsm8k", columns=columns)
    assert questions(recipe) == all_questions()


def test_a_mapped_column_that_is_not_there_is_named(make_recipe, write):
    recipe = make_recipe(train=write(*ROWS), format="gsm8k", columns={"question": "q"})
    with pytest.raises(
        ConfigError, match=r"line 1: data.columns names 'q'; the row has \['answer'"
    ):
        load_rows(recipe)


@pytest.mark.parametrize(
    ("op", "value", "kept"),
    [
        ("==", 2, [2]), ("!=", 2, [0, 1, 3, 4, 5]), ("<", 2, [0, 1]), ("<=", 2, [0, 1, 2]),
        (">", 4, [5]), (">=", 4, [4, 5]),
        ("in", [1, 5, 9], [1, 5]), ("not in", [0, 1, 2], [3, 4, 5]),
    ],
)  # fmt: skip
def test_a_filter_keeps_what_fulfils_it(make_recipe, write, op, value, kept):
    filters = [{"column": "level", "op": op, "value": value}]
    recipe = make_recipe(train=write(*ROWS), format="gsm8k", filters=filters)
    assert questions(recipe) == [f"{i}+1?" for i in kept]


def test_all_filters_hold_at_once(make_recipe, write):
    filters = [
        {"column": "level", "op": ">", "value": 1},
        {"column": "question", "op": "contains", "value": "4"},
    ]
    recipe = make_recipe(train=write(*ROWS), format="gsm8k", filters=filters)
    assert questions(recipe) == ["4+1?"]


def test_a_null_is_neither_more_nor_less(make_recipe, write):
    rows = [ROWS[0] | {"level": None}, ROWS[1]]
    filters = [{"column": "level", "op": ">=", "value": 0}]
    recipe = make_recipe(train=write(*rows), format="gsm8k", filters=filters)
    assert questions(recipe) == ["1+1?"]


def test_a_filter_that_does_not_compare_names_row_and_column(make_recipe, write):
    filters = [{"column": "level", "op": "<", "value": "2"}]
    recipe = make_recipe(train=write(*ROWS), format="gsm8k", filters=filters)
    with pytest.raises(ConfigError, match=r"line 1: data.filters: column 'level' is int.*'2'"):
        load_rows(recipe)


def test_a_source_that_loses_all_its_rows_says_to_what(make_recipe, write):
    filters = [{"column": "level", "op": ">", "value": 9}]
    recipe = make_recipe(train=write(*ROWS), format="gsm8k", filters=filters)
    with pytest.raises(ConfigError, match=r"no rows; dropped: \{'filter': 6\}"):
        load_rows(recipe)


def test_a_name_that_is_neither_file_nor_data_set_says_what_may_be_given(make_recipe):
    with pytest.raises(ConfigError, match=r"data.train = 'rows.csv'.*\.parquet.*owner/name"):
        load_rows(make_recipe(train="rows.csv"))


def test_a_format_without_what_the_method_needs_names_those_that_have_it(make_recipe, write):
    from plaudit_trainer.data import load_preferences

    with pytest.raises(ConfigError, match=r"'gsm8k' holds no pairs.*ultrafeedback"):
        load_preferences(make_recipe("dpo", train=write(*ROWS), format="gsm8k"))


def test_the_real_humaneval_fits(make_recipe):
    path = Path(__file__).parents[4] / "shared/data/humaneval/HumanEval.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the real HumanEval is not there ({path})")
    rows = load_rows(make_recipe(train=str(path), format="humaneval"))
    assert len(rows) == 164
    assert rows[0].id == "HumanEval/0" and rows[0].reference["entry_point"] == "has_close_elements"
