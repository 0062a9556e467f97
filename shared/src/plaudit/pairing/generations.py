"""A line of generations, as the fields of a tournament."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message


class _Text(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: str


class _Generation(BaseModel):
    """As `plaudit generate` writes it, or anything with these columns."""

    model_config = ConfigDict(extra="ignore")

    id: str | int | None = None
    prompt: str | list[Message]
    completions: list[_Text | str]


def tournament_fields(fields: dict[str, Any], place: str) -> dict[str, Any] | None:
    """Equal answers once; None where there are not two. Raises ConfigError that names the place."""
    try:
        line = _Generation.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{place}: {where}: {first['msg']}.",
            fix="a line has a prompt and completions, as `plaudit generate` writes it",
        ) from None
    texts = (one if isinstance(one, str) else one.text for one in line.completions)
    responses = list(dict.fromkeys(texts))
    if len(responses) < 2:
        return None
    named = {} if line.id is None else {"id": line.id}
    return named | {"prompt": line.prompt, "responses": responses}
