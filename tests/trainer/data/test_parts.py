"""Mixtures, validation splits and chunks: nothing is lost, and nothing is there twice."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit_trainer.data import VisitOrder, load, load_conversations, load_rows, visit_order
from plaudit_trainer.data.formats import ROWS
from plaudit_trainer.data.mixture import mixed
from plaudit_trainer.data.parts import chunks_of, is_held_out

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=4)


def rows(number, name=""):
    return [{"question": f"{name}{i}?", "answer": f"#### {i}"} for i in range(number)]


def ids(recipe, which="train"):
    return [row.id for row in load_rows(recipe, which)]


def parts_of(sizes):
    return [[(source, i) for i in range(size)] for source, size in enumerate(sizes)]


@settings(max_examples=50, deadline=None)
@given(SIZES, st.integers(0, 5), st.data())
def test_a_mixture_keeps_the_fraction_of_each_source_and_no_row_twice(sizes, seed, data):
    weights = [data.draw(st.floats(0.01, 1.0)) for _ in sizes]
    found = mixed(parts_of(sizes), weights, "fraction", seed)
    kept = Counter(source for source, _ in found)
    assert [kept[i] for i in range(len(sizes))] == [
        int(size * weight) for size, weight in zip(sizes, weights, strict=True)
    ]
    assert len({row for _, row in found}) == len(found)
    assert all(row[0] == source for source, row in found)
    assert found == mixed(parts_of(sizes), weights, "fraction", seed)


@settings(max_examples=50, deadline=None)
@given(SIZES, st.integers(0, 5))
def test_drawn_sources_end_with_the_first_that_is_empty(sizes, seed):
    weights = [1 / len(sizes)] * len(sizes)
    found = mixed(parts_of(sizes), weights, "probability", seed)
    kept = Counter(source for source, _ in found)
    assert any(kept[i] == size for i, size in enumerate(sizes))
    assert len({row for _, row in found}) == len(found)


def test_drawn_sources_have_their_probabilities():
    found = mixed(parts_of([4000, 4000]), [0.8, 0.2], "probability", 0)
    share = sum(source == 0 for source, _ in found[:4000]) / 4000
    assert share == pytest.approx(0.8, abs=0.02)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 50))
def test_chunks_hold_every_row_once_between_the_bounds_of_the_source(num_rows, num_chunks):
    chunks = chunks_of(num_rows, num_chunks)
    assert [i for chunk in chunks for i in chunk] == list(range(num_rows))
    assert [chunk.start for chunk in chunks] == [
        num_rows * i // num_chunks for i in range(num_chunks)
    ]


def test_each_row_is_on_one_side_of_a_validation_split(make_recipe, write):
    recipe = make_recipe(train=write(*rows(400)), format="gsm8k", validation_fraction=0.25)
    train, held_out = ids(recipe), ids(recipe, "eval")
    assert sorted([*train, *held_out], key=int) == [str(i) for i in range(1, 401)]
    assert 70 < len(held_out) < 130


def test_a_row_keeps_its_side_when_others_come_and_go():
    sides = [is_held_out(f"row {i}", 0.5, seed=1) for i in range(64)]
    assert sides != [is_held_out(f"row {i}", 0.5, seed=2) for i in range(64)]
    wider = [is_held_out(f"row {i}", 0.7, seed=1) for i in range(64)]
    assert all(is_in for is_in, was_in in zip(wider, sides, strict=True) if was_in)


def test_no_order_depends_on_how_python_hashes():
    code = (
        "from plaudit_trainer.data.mixture import mixed\n"
        "from plaudit_trainer.data.parts import is_held_out\n"
        "parts = [[f'{s}{i}' for i in range(20)] for s in 'ab']\n"
        "print(mixed(parts, [0.5, 0.5], 'fraction', 7), mixed(parts, [0.5, 0.5], 'probability', 7),"
        "[is_held_out(str(i), 0.5, 7) for i in range(40)])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def mixture(make_recipe, write, **data):
    paths = [write(*rows(20, name), name=f"{name}.jsonl") for name in ("a", "b")]
    sources = [
        {"path": path, "format": "gsm8k", "weight": weight}
        for path, weight in zip(paths, (0.5, 0.25), strict=True)
    ]
    return make_recipe(sources=sources, **data)


def test_a_mixture_of_sources_is_counted_by_source(make_recipe, write):
    loaded = load(ROWS, mixture(make_recipe, write), "train")
    counts = loaded.counts.as_json()
    assert [(one["read"], one["kept"]) for one in counts["sources"]] == [(20, 10), (20, 5)]
    assert counts["rows"] == len({row.id for row in loaded.rows}) == 15
    names = Counter(row.prompt[0].content[0] for row in loaded.rows)
    assert names == {"a": 10, "b": 5}


def test_both_sides_of_a_split_mixture_make_the_mixture(make_recipe, write):
    whole = ids(mixture(make_recipe, write))
    split = mixture(make_recipe, write, eval=None, validation_fraction=0.3)
    assert sorted(ids(split) + ids(split, "eval")) == sorted(whole)


def test_rows_of_a_mixture_tell_their_source_apart(make_recipe, write):
    assert {row_id.split("/")[0] for row_id in ids(mixture(make_recipe, write))} == {"0", "1"}


def test_a_shuffle_comes_before_the_bound_on_rows(make_recipe, write):
    path = write(*rows(50))
    recipe = make_recipe(train=path, format="gsm8k", shuffle=True, seed=1, max_rows=5)
    assert ids(recipe) == ids(recipe) and len(ids(recipe)) == 5
    assert max(map(int, ids(recipe))) > 5
    other = make_recipe(train=path, format="gsm8k", shuffle=True, seed=2, max_rows=5)
    assert ids(recipe) != ids(other)


def test_chunks_one_by_one_are_all_rows(make_recipe, write):
    path = write(*rows(10))
    found = [ids(make_recipe(train=path, format="gsm8k", chunks=4, chunk=i)) for i in range(4)]
    assert [len(one) for one in found] == [2, 3, 2, 3]
    assert [row_id for chunk in found for row_id in chunk] == ids(
        make_recipe(train=path, format="gsm8k")
    )


def test_a_chunk_without_rows_is_refused(make_recipe, write):
    with pytest.raises(ConfigError, match="there are no rows"):
        load_rows(make_recipe(train=write(*rows(2)), format="gsm8k", chunks=4, chunk=0))


def test_all_chunks_are_visited_one_after_the_other(make_recipe):
    order = visit_order(make_recipe(train="x", chunks=4), num_rows=20)
    for epoch in range(2):
        visited = [order.row_index(epoch, i) for i in range(20)]
        assert [sorted(visited[i : i + 5]) for i in range(0, 20, 5)] == [
            list(range(i, i + 5)) for i in range(0, 20, 5)
        ]
        assert visited != sorted(visited)


def test_offline_methods_take_one_chunk_at_a_time(make_recipe, write):
    conversation = {"question": "1+1?", "answer": "#### 2"}
    data = {"train": write(*[conversation] * 4), "format": "gsm8k", "chunks": 2}
    with pytest.raises(ConfigError, match=r"data.chunks = 2 without data.chunk"):
        load_conversations(make_recipe("sft", **data))
    assert len(load_conversations(make_recipe("sft", **data, chunk=1))) == 2


def test_one_chunk_alone_is_visited_as_a_whole(make_recipe):
    order = visit_order(make_recipe(train="x", chunks=4, chunk=1), num_rows=20)
    plain = VisitOrder(20, seed=0)
    assert all(order.row_index(0, i) == plain.row_index(0, i) for i in range(20))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"sources": [{"path": "a", "weight": 1.5}]}, r"weight = 1.5 is over 1"),
        (
            {"mixing": "probability", "sources": [{"path": "a", "weight": 0.5}]},
            "sum to 0.5; probabilities sum to 1",
        ),
        (
            {
                "sources": [
                    {"path": "a", "columns": {"question": "q"}},
                    {"path": "b", "columns": {"question": "q", "answer": "a"}},
                ]
            },
            r"some map the columns \['answer'\] and some do not",
        ),
        ({"train": "a", "sources": [{"path": "a"}]}, "either train or sources"),
        ({"train": "a", "eval": "b", "validation_fraction": 0.1}, "either eval or validation"),
        ({"train": "a", "chunks": 4, "chunk": 4}, "chunk = 4 is not below chunks = 4"),
        ({"train": "a", "filters": [{"column": "a", "op": "in", "value": 1}]}, "takes a list"),
        ({"train": "a", "filters": [{"column": "a", "op": "<", "value": [1]}]}, "takes one value"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(make_recipe, data, said):
    with pytest.raises(ValidationError, match=said):
        make_recipe(**data)
