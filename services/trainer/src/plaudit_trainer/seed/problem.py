"""What every kind of demo prompt looks like: the request, good replies and habitual bad ones."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["arithmetic", "code", "free", "slate"]
Message = dict[str, str]


class Row(BaseModel):
    """One line of `train.jsonl` or `eval.jsonl`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: Kind
    prompt: list[Message]
    reference: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A prompt with the replies that the warm-up teaches: `right` earns reward, `habits` do not.

    The warm-up mixes both, so the policy starts out able but sloppy and RL has habits to unlearn.
    """

    id: str
    kind: Kind
    prompt: str
    right: tuple[str, ...]
    habits: tuple[str, ...]
    reference: dict[str, Any]

    def messages(self) -> list[Message]:
        """The conversation up to the reply."""
        return [{"role": "user", "content": self.prompt}]

    def row(self) -> Row:
        """What the trainer reads: no reply, only what the rewards need."""
        return Row(id=self.id, kind=self.kind, prompt=self.messages(), reference=self.reference)
