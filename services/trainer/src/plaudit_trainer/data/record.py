"""One row of a source as it was read, before a format gives it a meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from pydantic import TypeAdapter, ValidationError

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message

_MAX_NAMES = 32
_MAX_NAME_CHARS = 64
_MESSAGES = TypeAdapter(list[Message])


class Place(NamedTuple):
    """Where a row stands: `unit` is what its source counts, lines or rows, from 1."""

    setting: str
    name: str
    unit: str
    number: int

    def __str__(self) -> str:
        return f"{self.setting} = {self.name!r}, {self.unit} {self.number}"


@dataclass(frozen=True)
class Record:
    """Its columns by the format's names."""

    place: Place
    values: dict[str, Any]
    data_format: str

    @property
    def id(self) -> str:
        """Its column `id`, else its number in the source."""
        return str(self.values["id"]) if "id" in self.values else str(self.place.number)

    def column(self, name: str) -> Any:
        if name not in self.values:
            raise ConfigError(
                f"{self.place}: column {name!r} is missing; the row has {names_in(self.values)}.",
                fix=f"add it, map another to it in data.columns, or set data.format to the file's "
                f"format (it is {self.data_format!r})",
            )
        return self.values[name]

    def text(self, name: str) -> str:
        value = self.column(name)
        if not isinstance(value, str):
            self.refuse(name, f"{type(value).__name__} in place of a text")
        return str(value)

    def messages(self, name: str) -> list[Message]:
        """Of the column's list, whose other keys are left out."""
        value = self.column(name)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(name, "not a list of messages")
        plain = [{key: one.get(key) for key in ("role", "content")} for one in value]
        try:
            return _MESSAGES.validate_python(plain)
        except ValidationError as error:
            self.refuse(f"{name}.{_where(error)}", error.errors()[0]["msg"])

    def refuse(self, name: str, what: str) -> NoReturn:
        raise ConfigError(f"{self.place}: column {name}: {what}.", fix="mend it")


def names_in(values: Mapping[str, Any]) -> str:
    """Some of its columns, for an error: they are somebody else's text."""
    names = sorted(name[:_MAX_NAME_CHARS] for name in values)
    more = len(names) - _MAX_NAMES
    return f"{names[:_MAX_NAMES]}" + (f" and {more} more" if more > 0 else "")


def invalid(place: Place, error: ValidationError) -> ConfigError:
    """What a contract says about a row."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"{place}: column {_where(error)}: {message}.", fix="mend it")


def _where(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.errors()[0]["loc"]) or "(row)"
