"""The lines of a JSONL file, as requests."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from plaudit.errors import ConfigError
from plaudit.file_job.lines import checked_id, json_object, read_lines
from plaudit.judging.verbs import Verb
from plaudit.schemas.judge import JudgedRequest


@dataclass(frozen=True)
class Item:
    """`key` stands for the whole question: the same in another run that asks the same."""

    item_id: str
    request: JudgedRequest
    key: str
    gold: Any = None
    """What is known to be right, for calibration; not sent."""

    def rubrics(self) -> set[str]:
        """The one it is judged by; none for a reward."""
        return {value for name, value in self.request if name == "rubric"}


@dataclass(frozen=True)
class Checked:
    """What a whole file asks for."""

    num_items: int
    judges: frozenset[str]
    rubrics: frozenset[str]


@dataclass(frozen=True)
class Source:
    """`defaults` fill what a line leaves out; `gold` reads the column of what is right; `adapt`
    makes a line of another kind one of the verb's, or passes it over (None)."""

    path: Path
    verb: Verb
    defaults: Mapping[str, Any]
    gold: TypeAdapter[Any] | None = None
    adapt: Callable[[dict[str, Any], str], dict[str, Any] | None] = lambda fields, place: fields

    def items(self) -> Iterator[Item]:
        """Raises ConfigError that names the line and the column."""
        for number, line in enumerate(read_lines(self.path), start=1):
            place = f"{self.path}:{number}"
            if line.strip() and (fields := self.adapt(json_object(line, place), place)):
                yield self._item(fields, place)

    def check(self) -> Checked:
        """Reads all items once: no call is paid for before a typo is found.

        Raises ConfigError: a wrong line, the same id twice, no line at all.
        """
        seen: dict[str, int] = {}
        judges: set[str] = set()
        rubrics: set[str] = set()
        for number, item in enumerate(self.items(), start=1):
            judges.add(item.request.judge)
            rubrics |= item.rubrics()
            first = seen.setdefault(item.item_id, number)
            if first != number:
                raise ConfigError(
                    f"{self.path}: items {first} and {number} have the same id {item.item_id!r}.",
                    fix="give each line an `id` of its own; lines without one must differ",
                )
        if not seen:
            raise ConfigError(
                f"{self.path} has no lines to judge.", fix="write one JSON object per line"
            )
        return Checked(len(seen), frozenset(judges), frozenset(rubrics))

    def _item(self, fields: dict[str, Any], place: str) -> Item:
        item_id = fields.pop("id", None)
        fields.pop("metadata", None)
        gold = self._gold(fields, place)
        if isinstance(fields.get("prompt"), str):
            fields["prompt"] = [{"role": "user", "content": fields["prompt"]}]
        request = self._request({**self.defaults, **fields}, place)
        key = _key(self.verb.name, request)
        return Item(key[:16] if item_id is None else checked_id(item_id, place), request, key, gold)

    def _gold(self, fields: dict[str, Any], place: str) -> Any:
        if self.gold is None:
            return None
        if "gold" not in fields:
            raise ConfigError(f"{place}: gold: missing; it says what is right.")
        try:
            return self.gold.validate_python(fields.pop("gold"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ConfigError(f"{place}: gold: {first['msg']}.") from None

    def _request(self, fields: dict[str, Any], place: str) -> JudgedRequest:
        try:
            return self.verb.request.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            fix = None
            if first["type"] == "extra_forbidden":
                fix = "columns of your own go into an object `metadata`, which is left aside"
            raise ConfigError(f"{place}: {where}: {first['msg']}.", fix=fix) from None


def first_object(path: Path) -> dict[str, Any]:
    """The first line, which shows what the file is about. Raises ConfigError."""
    return json_object(next(read_lines(path), b""), f"{path}:1")


def _key(verb: str, request: JudgedRequest) -> str:
    digest = hashlib.sha256(f"{verb}\n".encode())
    digest.update(request.model_dump_json().encode())
    return digest.hexdigest()
