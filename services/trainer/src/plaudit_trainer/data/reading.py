"""The examples of one source, with the prompts that the recipe asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import DataRecipe
from plaudit_trainer.data.counts import Drops, SourceCounts
from plaudit_trainer.data.formats import Dropped, Example, Kind
from plaudit_trainer.data.prompts import PromptBuilder
from plaudit_trainer.data.record import Record
from plaudit_trainer.data.row import Row
from plaudit_trainer.data.sources import Source

MAX_ROWS = 2_000_000
MAX_ID_CHARS = 256


@dataclass
class SourceReader(Generic[Example]):
    kind: Kind[Example]
    recipe: DataRecipe
    source: Source
    counts: SourceCounts
    drops: Drops

    def examples(self) -> Iterator[Example]:
        """Raises ConfigError on anything unusable, an id that is there twice, and too many."""
        convert = self.kind.converter(self.source.setting, self.source.options.format)
        builder = PromptBuilder(self.recipe)
        seen: set[str] = set()
        for record in self.source.records(self.counts, self.drops):
            made = convert(record, self.recipe)
            if isinstance(made, Dropped):
                self.drops.add(made.reason, record.place)
                continue
            _check_new(made.id, seen, record)
            self.counts.kept += 1
            yield self._finished(made, record, builder)

    def _finished(self, made: Example, record: Record, builder: PromptBuilder) -> Example:
        messages = builder.built(record, getattr(made, self.kind.messages))
        changes = {"id": self.source.id_prefix + made.id, self.kind.messages: messages}
        if not isinstance(made, Row):
            return made.model_copy(update=changes)
        kind = self.source.options.kind or made.kind
        row = made.model_copy(update=changes | {"kind": kind})
        return builder.with_budget(row, record)


def _check_new(row_id: str, seen: set[str], record: Record) -> None:
    if len(row_id) > MAX_ID_CHARS:
        raise ConfigError(
            f"{record.place}: its id has {len(row_id)} characters, of at most {MAX_ID_CHARS}.",
            fix="map another column to id in data.columns",
        )
    if row_id in seen:
        raise ConfigError(f"{record.place}: id {row_id!r} is there twice.", fix="make ids unique")
    seen.add(row_id)
    if len(seen) > MAX_ROWS:
        raise ConfigError(
            f"{record.place}: over {MAX_ROWS} rows are kept.", fix="set data.max_rows or filters"
        )
