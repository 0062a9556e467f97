"""The rows of both sides: what is trained on, and what is held out."""

from typing import Any, NamedTuple

from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import OfflineRecipe
from plaudit_trainer.data import DataCounts, Which, load
from plaudit_trainer.data.formats import CONVERSATIONS, LABELLED, PREFERENCES, Kind
from plaudit_trainer.offline.method import OfflineMethod, Row

_KINDS: dict[type, Kind[Any]] = {
    Conversation: CONVERSATIONS,
    Preference: PREFERENCES,
    Labelled: LABELLED,
}


class OfflineRows(NamedTuple):
    """`counts`: what became of all rows that were read, by split."""

    train: list[Row]
    eval: list[Row]
    counts: dict[str, DataCounts]


def load_rows(recipe: OfflineRecipe, method: OfflineMethod, tokenizer: Any) -> OfflineRows:
    """Raises ConfigError on anything unusable."""
    counts: dict[str, DataCounts] = {}

    def rows(which: Which, limit: int | None) -> list[Row]:
        loaded = load(_KINDS[method.example], recipe, which)
        counts[which] = loaded.counts
        return method.rows(recipe, tokenizer, loaded.rows[:limit], f"data.{which}")

    return OfflineRows(rows("train", None), rows("eval", recipe.eval.max_rows), counts)
