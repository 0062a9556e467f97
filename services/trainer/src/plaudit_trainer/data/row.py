"""What a rollout starts from."""

from typing import Any

from pydantic import Field

from plaudit.schemas.common import Contract, Message


class Row(Contract):
    """One prompt. `reference` is what rewards compare with; `kind` says which rewards apply."""

    id: str
    kind: str
    prompt: list[Message] = Field(min_length=1)
    reference: dict[str, Any]
