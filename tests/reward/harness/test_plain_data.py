"""What tests and candidate tell each other keeps its type and loses everything else."""

import json
from collections import Counter, OrderedDict
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit_reward.harness.plain_data import NotPlain, decode, encode

atoms = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.binary(),
    st.text(),
)  # fmt: skip
keys = st.one_of(st.booleans(), st.integers(), st.text(), st.tuples(st.integers(), st.text()))
values = st.recursive(
    st.one_of(atoms, st.sets(keys), st.frozensets(keys)),
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(keys, inner)
    ),
)


class Point(NamedTuple):
    x: int
    y: int


@given(values)
def test_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    """Equal in writing, which has one form for each value, NaN included."""
    assert encode(sent(value)) == encode(value)


@pytest.mark.parametrize(
    ("value", "kind"), [(True, bool), (1, int), (1.0, float), ((1,), tuple), ([1], list)]
)
def test_equal_values_of_different_types_stay_different(value: object, kind: type) -> None:
    assert type(sent(value)) is kind


def test_no_method_of_a_subclass_gets_through() -> None:
    class Equal(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    assert type(sent(Equal(3))) is int
    assert type(sent([Equal(3)])[0]) is int
    assert type(sent(Point(1, 2))) is tuple
    assert type(sent(OrderedDict(a=1))) is type(sent(Counter("a"))) is dict


@pytest.mark.parametrize("value", [object(), len, iter([]), range(3), [lambda: 0], {1: object}])
def test_what_is_not_data_is_refused(value: object) -> None:
    with pytest.raises(NotPlain, match="is no plain data"):
        encode(value)


def test_a_number_of_any_length_takes_linear_time() -> None:
    number = 10**200_000
    assert sent(number) == number


def test_sets_are_written_in_one_order() -> None:
    one, other = set(), set()
    for n in range(0, 64, 8):
        one.add(n)
        other.add(56 - n)
    assert list(one) != list(other), "else this test says nothing"
    assert encode(one) == encode(other)


@pytest.mark.parametrize(
    "value", [1, 1.5, {}, [], ["int"], ["int", 1], ["float", "x"], ["what", 1], [["int"], 1],
              ["dict", 1], ["set", ["list"]], ["bytes", "zz"]],
)  # fmt: skip
def test_what_no_value_is_written_as_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError, IndexError)):
        decode(value)


def sent(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value))))
