"""Which rows of a source are kept."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import FilterRecipe
from plaudit_trainer.data.record import Record

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def passes(record: Record, filters: Sequence[FilterRecipe]) -> bool:
    """Raises ConfigError where a column is missing, or is of a type that `op` does not take."""
    return all(_fulfils(record, one) for one in filters)


def _fulfils(record: Record, one: FilterRecipe) -> bool:
    value = record.column(one.column)
    if one.op in ("==", "!="):
        return bool((value == one.value) == (one.op == "=="))
    if one.op in ("in", "not in"):
        assert isinstance(one.value, list)
        return (value in one.value) == (one.op == "in")
    if value is None:
        return False
    try:
        if one.op == "contains":
            return one.value in value
        return bool(_ORDER[one.op](value, one.value))
    except TypeError as error:
        raise ConfigError(
            f"{record.place}: data.filters: column {one.column!r} is {type(value).__name__}, which "
            f"{one.op!r} does not compare with {one.value!r}.",
            fix="compare it with a value of its type",
        ) from error
