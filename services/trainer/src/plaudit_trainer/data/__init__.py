"""What a recipe's data sets hold: rows for rollouts, examples for offline training.

sources      where rows are read from: files, hub; filters
formats      what a row of each format means
prompts      templates, system prompts, length budgets
mixture      several sources in one; parts: the validation split and chunks
lengths      what becomes of rows that are too long
loading      all of it, in that order
"""

from plaudit_trainer.data.counts import DataCounts
from plaudit_trainer.data.loading import (
    Loaded,
    load,
    load_conversations,
    load_labelled,
    load_preferences,
    load_rows,
)
from plaudit_trainer.data.parts import Which
from plaudit_trainer.data.row import Row
from plaudit_trainer.data.visit_order import VisitOrder, visit_order

__all__ = [
    "DataCounts",
    "Loaded",
    "Row",
    "VisitOrder",
    "Which",
    "load",
    "load_conversations",
    "load_labelled",
    "load_preferences",
    "load_rows",
    "visit_order",
]
