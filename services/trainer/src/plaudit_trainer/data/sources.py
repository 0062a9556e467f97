"""A source of a recipe: where it is, and its rows one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plaudit.data_names import DATA_SUFFIXES, is_hub_name
from plaudit.errors import ConfigError
from plaudit.schemas.recipe import DataRecipe, SourceOptions, SourceRecipe
from plaudit_trainer.data.counts import Drops, SourceCounts
from plaudit_trainer.data.files import is_parquet, json_lines, parquet_rows
from plaudit_trainer.data.filters import passes
from plaudit_trainer.data.hub import HubPart
from plaudit_trainer.data.record import Place, Record, names_in


@dataclass(frozen=True)
class Source:
    """`setting` names it in errors; `weight` is its part in a mixture, whose rows have ids with
    `id_prefix`."""

    setting: str
    name: str
    split: str
    options: SourceOptions
    weight: float = 1.0
    id_prefix: str = ""

    def records(self, counts: SourceCounts, drops: Drops) -> Iterator[Record]:
        """Those that pass the filters. Raises ConfigError on anything unusable."""
        unit, rows = self._rows()
        for number, values in rows:
            counts.read += 1
            place = Place(self.setting, self.name, unit, number)
            record = Record(place, self._mapped(values, place), self.options.format)
            if passes(record, self.options.filters):
                yield record
            else:
                drops.add("filter", place)

    def _rows(self) -> tuple[str, Iterator[tuple[int, dict[str, Any]]]]:
        path = Path(self.name)
        if path.is_file():
            if is_parquet(path):
                return "row", parquet_rows(self.setting, path)
            return "line", json_lines(self.setting, path)
        if not path.is_dir() and not is_hub_name(self.name):
            raise ConfigError(
                f"{self.setting} = {self.name!r}: no such file or directory.",
                fix=f"give a file ({', '.join(DATA_SUFFIXES)}), a directory, or a data set on the "
                "Hugging Face hub (owner/name)",
            )
        one = self.options
        part = HubPart(self.setting, self.name, one.config, self.split, one.revision)
        return "row", part.rows()

    def _mapped(self, values: dict[str, Any], place: Place) -> dict[str, Any]:
        columns = self.options.columns
        missing = sorted(set(columns.values()) - values.keys())
        if missing:
            raise ConfigError(
                f"{place}: data.columns names {missing[0]!r}; the row has {names_in(values)}.",
                fix="name a column that it has",
            )
        taken = set(columns.values())
        kept = {name: value for name, value in values.items() if name not in taken}
        return kept | {name: values[column] for name, column in columns.items()}


def train_sources(recipe: DataRecipe) -> list[Source]:
    if recipe.train is not None:
        return [Source("data.train", recipe.train, recipe.train_split, recipe)]
    return [_part_of_mixture(i, one) for i, one in enumerate(recipe.sources)]


def eval_source(recipe: DataRecipe) -> Source | None:
    if recipe.eval is None:
        return None
    return Source("data.eval", recipe.eval, recipe.eval_split, recipe)


def _part_of_mixture(index: int, one: SourceRecipe) -> Source:
    return Source(f"data.sources.{index}.path", one.path, one.split, one, one.weight, f"{index}/")
