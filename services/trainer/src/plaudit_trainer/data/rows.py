"""Rows of a data set for rollouts, whatever their format."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from plaudit.errors import ConfigError
from plaudit.length_budget import with_length_budget
from plaudit.schemas.common import Contract, Message
from plaudit.schemas.recipe import DataRecipe, LengthBudgetRecipe


class Row(Contract):
    """One prompt. `reference` is what rewards compare with; `kind` says which rewards apply."""

    id: str
    kind: str
    prompt: list[Message] = Field(min_length=1)
    reference: dict[str, Any]


class _Place(NamedTuple):
    setting: str
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.setting} = {str(self.path)!r}, line {self.line}"


def load_rows(recipe: DataRecipe, setting: str, path_text: str) -> list[Row]:
    """Read the JSONL file that `setting` names. Raises ConfigError on anything unusable."""
    path = Path(path_text)
    if not path.is_file():
        raise ConfigError(f"{setting} = {path_text!r}: no such file.", fix="give a JSONL file")
    convert = _CONVERTERS[recipe.format]
    rows: dict[str, Row] = {}
    for place, record in _records(setting, path):
        row = _with_budget(convert(record, place, recipe), place, recipe.length_budget)
        if row.id in rows:
            raise ConfigError(f"{place}: id {row.id!r} is there twice.", fix="make ids unique")
        rows[row.id] = row
    if not rows:
        raise ConfigError(f"{setting} = {path_text!r}: the file has no rows.", fix="give data")
    return list(rows.values())[: recipe.max_rows]


def _records(setting: str, path: Path) -> Iterator[tuple[_Place, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{setting} = {str(path)!r} cannot be read: {error}.",
            fix="give a readable JSONL file in UTF-8",
        ) from error
    for number, line in enumerate(lines, start=1):
        place = _Place(setting, path, number)
        if line.strip():
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ConfigError(f"{place}: not JSON ({error}).", fix="mend that line") from error
            if not isinstance(record, dict):
                raise ConfigError(f"{place}: not an object.", fix="one JSON object a line")
            yield place, record


def _column(record: dict[str, Any], name: str, place: _Place, data_format: str) -> Any:
    if name not in record:
        raise ConfigError(
            f"{place}: column {name!r} is missing; the row has {sorted(record)}.",
            fix=f"add it, or set data.format to the file's format (it is {data_format!r})",
        )
    return record[name]


def _from_plaudit(record: dict[str, Any], place: _Place, recipe: DataRecipe) -> Row:
    names = ("id", "kind", "prompt", "reference")
    values = {name: _column(record, name, place, "plaudit") for name in names}
    try:
        row = Row.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{place}: column {where}: {first['msg']}.", fix="mend it") from error
    return row.model_copy(update={"prompt": [*_system(recipe), *row.prompt]})


def _from_gsm8k(record: dict[str, Any], place: _Place, recipe: DataRecipe) -> Row:
    question = str(_column(record, "question", place, "gsm8k"))
    answer = str(_column(record, "answer", place, "gsm8k"))
    _, mark, gold = answer.rpartition("####")
    if not mark:
        raise ConfigError(
            f"{place}: column 'answer' has no final answer after '####'.", fix="add it"
        )
    gold = gold.strip().replace(",", "").replace("$", "")
    prompt = [*_system(recipe), Message(role="user", content=question)]
    return Row(id=str(place.line), kind="math", prompt=prompt, reference={"answer": gold})


def _with_budget(row: Row, place: _Place, budget: LengthBudgetRecipe | None) -> Row:
    """The row whose prompt says how long the answer should be."""
    if budget is None:
        return row
    drawn = random.Random(f"{budget.seed} {row.id}").randint(budget.min_tokens, budget.max_tokens)
    num_tokens = row.reference.get("num_tokens", drawn)
    if type(num_tokens) is not int:  # no bool either
        raise ConfigError(
            f"{place}: reference.num_tokens = {num_tokens!r}.", fix="give a whole number, or none"
        )
    try:
        prompt = with_length_budget(row.prompt, num_tokens, budget.form, budget.style)
    except ConfigError as error:
        raise ConfigError(f"{place}, data.length_budget: {error.message}", fix=error.fix) from error
    reference = row.reference | {"num_tokens": num_tokens}
    return row.model_copy(update={"prompt": prompt, "reference": reference})


def _system(recipe: DataRecipe) -> list[Message]:
    text = recipe.system_prompt
    return [Message(role="system", content=text)] if text else []


_CONVERTERS: dict[str, Callable[[dict[str, Any], _Place, DataRecipe], Row]] = {
    "plaudit": _from_plaudit,
    "gsm8k": _from_gsm8k,
}
