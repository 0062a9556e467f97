"""The rows of a recipe's data sets, as a run trains or evaluates on them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic

from plaudit.errors import ConfigError
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import DataRecipe, RunRecipe
from plaudit.telemetry import gauge, get_logger
from plaudit_trainer.data.counts import DataCounts
from plaudit_trainer.data.formats import (
    CONVERSATIONS,
    LABELLED,
    PREFERENCES,
    ROWS,
    Example,
    Kind,
)
from plaudit_trainer.data.lengths import LengthPolicy
from plaudit_trainer.data.mixture import mixed, shuffled
from plaudit_trainer.data.parts import Which, chunks_of, is_held_out
from plaudit_trainer.data.reading import SourceReader
from plaudit_trainer.data.rendering import load_tokenizer
from plaudit_trainer.data.row import Row
from plaudit_trainer.data.sources import Source, eval_source, train_sources

DATA_ROWS = gauge(
    "plaudit_trainer_data_rows",
    "Rows of the recipe's data: kept, shortened, or the reason why they were dropped.",
    ("split", "outcome"),
)

log = get_logger(__name__)


@dataclass(frozen=True)
class Loaded(Generic[Example]):
    rows: list[Example]
    counts: DataCounts


def load_rows(recipe: RunRecipe, which: Which = "train") -> list[Row]:
    """For rollouts. Raises ConfigError on anything unusable; no rows where eval names none."""
    return load(ROWS, recipe, which).rows


def load_conversations(recipe: RunRecipe, which: Which = "train") -> list[Conversation]:
    """As `load_rows`."""
    return load(CONVERSATIONS, recipe, which).rows


def load_preferences(recipe: RunRecipe, which: Which = "train") -> list[Preference]:
    """As `load_rows`."""
    return load(PREFERENCES, recipe, which).rows


def load_labelled(recipe: RunRecipe, which: Which = "train") -> list[Labelled]:
    """As `load_rows`."""
    return load(LABELLED, recipe, which).rows


def load(kind: Kind[Example], recipe: RunRecipe, which: Which) -> Loaded[Example]:
    """With what became of all rows that were read."""
    data, counts = recipe.data, DataCounts()
    _check_chunks(kind, data)
    sources = _sources(data, which)
    if not sources:
        return Loaded([], counts)
    examples: Iterable[Example] = _joined(kind, data, sources, counts)
    if data.validation_fraction is not None:
        examples = _side(examples, data, data.validation_fraction, which)
    examples = _fitting(kind, recipe, examples, counts)
    rows = list(islice(examples, data.max_rows))
    if which == "train" and data.chunk is not None:
        rows = [rows[i] for i in chunks_of(len(rows), data.chunks)[data.chunk]]
    if not rows:
        raise _no_rows(sources, counts)
    counts.rows = len(rows)
    _tell(which, counts)
    return Loaded(rows, counts)


def _sources(data: DataRecipe, which: Which) -> list[Source]:
    if which == "train" or data.validation_fraction is not None:
        return train_sources(data)
    source = eval_source(data)
    return [] if source is None else [source]


def _joined(
    kind: Kind[Example], data: DataRecipe, sources: list[Source], counts: DataCounts
) -> Iterable[Example]:
    readers = [
        SourceReader(kind, data, source, counts.source(source.name), counts.dropped)
        for source in sources
    ]
    if not sources[0].id_prefix:
        examples = readers[0].examples()
        return shuffled(list(examples), f"{data.seed}/shuffle") if data.shuffle else examples
    parts = [list(reader.examples()) for reader in readers]
    rows = mixed(parts, [source.weight for source in sources], data.mixing, data.seed)
    kept = Counter(source for source, _ in rows)
    for i, reader in enumerate(readers):
        reader.counts.kept = kept[i]
    return [row for _, row in rows]


def _side(
    examples: Iterable[Example], data: DataRecipe, fraction: float, which: Which
) -> Iterator[Example]:
    is_eval = which == "eval"
    return (one for one in examples if is_held_out(one.id, fraction, data.seed) == is_eval)


def _fitting(
    kind: Kind[Example], recipe: RunRecipe, examples: Iterable[Example], counts: DataCounts
) -> Iterable[Example]:
    data = recipe.data
    if data.too_long == "error" and data.max_prompt_fraction is None:
        return examples  # which the check and the trainers see to
    policy = LengthPolicy(recipe, kind, load_tokenizer(recipe.model.path))
    fitting = (policy.applied(one, counts) for one in examples)
    return (one for one in fitting if one is not None)


def _check_chunks(kind: Kind[Example], data: DataRecipe) -> None:
    if kind is not ROWS and data.chunks > 1 and data.chunk is None:
        raise ConfigError(
            f"data.chunks = {data.chunks} without data.chunk: offline training has no order of "
            "chunks.",
            fix="train on one after the other: a run for each data.chunk, from the model before",
        )


def _tell(which: Which, counts: DataCounts) -> None:
    outcomes = {"kept": counts.rows, "shortened": counts.truncated, **counts.dropped.by_reason}
    for outcome, number in outcomes.items():
        DATA_ROWS.labels(which, outcome).set(number)
    log.info("data", **counts.told(which))


def _no_rows(sources: list[Source], counts: DataCounts) -> ConfigError:
    names = ", ".join(f"{source.setting} = {source.name!r}" for source in sources)
    dropped = dict(counts.dropped.by_reason)
    left = f"; dropped: {dropped}" if dropped else ""
    return ConfigError(f"{names}: there are no rows{left}.", fix="give data")
