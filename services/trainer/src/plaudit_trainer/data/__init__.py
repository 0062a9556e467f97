"""What a recipe's data sets hold: rows for rollouts, examples for offline training."""

from plaudit_trainer.data.examples import load_conversations, load_labelled, load_preferences
from plaudit_trainer.data.rows import Row, load_rows
from plaudit_trainer.data.visit_order import VisitOrder

__all__ = [
    "Row",
    "VisitOrder",
    "load_conversations",
    "load_labelled",
    "load_preferences",
    "load_rows",
]
