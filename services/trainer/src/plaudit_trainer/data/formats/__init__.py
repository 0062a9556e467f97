"""The formats of data sets: from a row of a source to what a method trains on.

A converter gives an example, or why the row is left out (`Dropped`); it raises ConfigError for a
row that is not of its format. Prompts are finished elsewhere (`plaudit_trainer.data.prompts`).
"""

from plaudit_trainer.data.formats.convert import Dropped
from plaudit_trainer.data.formats.kinds import (
    CONVERSATIONS,
    LABELLED,
    PREFERENCES,
    ROWS,
    Example,
    Kind,
)

__all__ = [
    "CONVERSATIONS",
    "LABELLED",
    "PREFERENCES",
    "ROWS",
    "Dropped",
    "Example",
    "Kind",
]
