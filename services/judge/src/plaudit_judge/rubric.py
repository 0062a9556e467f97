"""Rubrics: how a judge is asked. A rubric is a TOML file that a user can add.

    name = "sr_r1"            # the file's name without .toml
    version = 1
    description = "..."
    system = "..."            # may be empty: then no system message is sent
    user = "..."              # places: {prompt} {a} {b}, and optionally {reference} {fence}
    reference = "..."         # fills {reference} when one is given; has {reference} itself
    temperature = 0.5
    max_tokens = 500

Places are filled literally and once: braces inside an answer stay what they are.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from plaudit.errors import ConfigError, Rejected
from plaudit.schemas.common import Contract, Message
from plaudit.schemas.judge import RubricInfo, RubricStamp
from plaudit_judge.quoting import defuse, fence_for

SHIPPED_DIR = Path(__file__).parent / "rubrics"
_PLACE = re.compile(r"\{(prompt|a|b|reference|fence)\}")
_REQUIRED_PLACES = ("{prompt}", "{a}", "{b}")


class Rubric(Contract):
    """See the module's docstring."""

    name: str = Field(pattern=r"^[a-z0-9_]{1,64}$")
    version: int = Field(ge=1)
    description: str
    system: str = ""
    user: str
    reference: str = ""
    temperature: float = Field(ge=0.0, le=2.0)
    max_tokens: int = Field(ge=1, le=32_768)

    @model_validator(mode="after")
    def has_its_places(self) -> "Rubric":
        for place in _REQUIRED_PLACES:
            if place not in self.user:
                raise ValueError(f"user: the place {place} is missing")
        if self.reference and "{reference}" not in self.user:
            raise ValueError("user: the place {reference} is missing, but `reference` is given")
        return self

    def stamp(self) -> RubricStamp:
        return RubricStamp(name=self.name, version=self.version, sha256=self.sha256)

    @cached_property
    def sha256(self) -> str:
        """Of the whole content, so that an edited rubric is another one."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def info(self) -> RubricInfo:
        return RubricInfo(
            name=self.name, version=self.version, description=self.description, sha256=self.sha256
        )

    def system_is_constant(self) -> bool:
        return _PLACE.search(self.system) is None

    def check_reference(self, reference: str | None) -> None:
        """Raises Rejected: a reference is given that this rubric has no place for."""
        if reference is not None and not self.reference:
            raise Rejected(
                f"reference: the rubric {self.name!r} has no place for one.",
                fix="Leave `reference` out, or choose a rubric that compares with a reference.",
            )

    def render(
        self, prompt: str, first: str, second: str, reference: str | None = None
    ) -> list[Message]:
        """The conversation that asks for a verdict. Raises Rejected: it takes no reference."""
        self.check_reference(reference)
        values = {"prompt": defuse(prompt), "a": defuse(first), "b": defuse(second)}
        values["fence"] = fence_for(prompt, first, second, reference or "")
        quoted = {**values, "reference": defuse(reference or "")}
        values["reference"] = _fill(self.reference, quoted) if reference is not None else ""
        messages = [Message(role="user", content=_fill(self.user, values))]
        if self.system:
            messages.insert(0, Message(role="system", content=_fill(self.system, values)))
        return messages


def load_rubrics(extra_dir: Path | None = None) -> dict[str, Rubric]:
    """The shipped rubrics and those in `extra_dir`, which may replace shipped ones.

    Raises ConfigError: a file is no rubric, or the directory does not exist.
    """
    if extra_dir is not None and not extra_dir.is_dir():
        raise ConfigError(
            f"judge.rubric_dir: {extra_dir} is not a directory.",
            fix="Create it, or leave the setting out.",
        )
    paths = sorted(SHIPPED_DIR.glob("*.toml"))
    paths += sorted(extra_dir.glob("*.toml")) if extra_dir else []
    return {path.stem: load_rubric(path) for path in paths}


def load_rubric(path: Path) -> Rubric:
    """Raises ConfigError: unreadable, not TOML, a wrong key, or a name unlike the file's."""
    try:
        rubric = Rubric.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a rubric: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "rubric"
        raise ConfigError(f"{path}: {place}: {first['msg']}.") from error
    if rubric.name != path.stem:
        raise ConfigError(
            f"{path}: name is {rubric.name!r}, the file says {path.stem!r}.",
            fix="Make them equal.",
        )
    return rubric


def _fill(template: str, values: Mapping[str, str]) -> str:
    """One pass, so that a place inside a value is never filled."""
    return _PLACE.sub(lambda match: values[match[1]], template)
