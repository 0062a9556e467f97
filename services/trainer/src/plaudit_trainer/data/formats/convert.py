"""What converters are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from plaudit.schemas.common import Contract, Message
from plaudit.schemas.recipe import DataRecipe
from plaudit_trainer.data.record import Record, invalid
from plaudit_trainer.data.row import Row

Made = TypeVar("Made", bound=Contract)


@dataclass(frozen=True)
class Dropped:
    """A row that its format leaves out."""

    reason: str


Converter = Callable[[Record, DataRecipe], Made | Dropped]


def make(contract: type[Made], record: Record, **values: Any) -> Made:
    """Raises ConfigError naming the place and the column that does not fit the contract."""
    try:
        return contract.model_validate({"id": record.id} | values)
    except ValidationError as error:
        raise invalid(record.place, error) from error


def own(contract: type[Made]) -> Converter[Made]:
    """Of Plaudit's own files: its columns are the contract's."""
    required = [name for name, one in contract.model_fields.items() if one.is_required()]

    def convert(record: Record, recipe: DataRecipe) -> Made | Dropped:
        values = {name: record.column(name) for name in required}
        known = {k: v for k, v in record.values.items() if k in contract.model_fields}
        return make(contract, record, **(known | values))

    return convert


def user(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


def row(record: Record, kind: str, prompt: list[Message], reference: dict[str, Any]) -> Row:
    """A row whose own column `kind` counts more than the format's."""
    kind = str(record.values.get("kind") or kind)
    return make(Row, record, kind=kind, prompt=prompt, reference=reference)
