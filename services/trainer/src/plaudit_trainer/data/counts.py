"""What became of the rows that were read."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_MAX_DROPPED_SHOWN = 20


@dataclass
class Drops:
    """How many rows were dropped for which reason, and where the first of them stand."""

    by_reason: Counter[str] = field(default_factory=Counter)
    first: list[tuple[str, str]] = field(default_factory=list)

    def add(self, reason: str, place: object) -> None:
        self.by_reason[reason] += 1
        if len(self.first) < _MAX_DROPPED_SHOWN:
            self.first.append((reason, str(place)))


@dataclass
class SourceCounts:
    """Of one source: how many of its rows were read, and kept."""

    name: str
    read: int = 0
    kept: int = 0


@dataclass
class DataCounts:
    """Of one split: `rows` are left, `truncated` of them shortened."""

    sources: list[SourceCounts] = field(default_factory=list)
    dropped: Drops = field(default_factory=Drops)
    truncated: int = 0
    rows: int = 0

    def source(self, name: str) -> SourceCounts:
        self.sources.append(SourceCounts(name))
        return self.sources[-1]

    def told(self, split: str) -> dict[str, Any]:
        """For people, who need not know what did not happen."""
        dropped = dict(sorted(self.dropped.by_reason.items()))
        told: dict[str, Any] = {f"num_{split}_rows": self.rows}
        if dropped:
            told[f"{split}_dropped"] = dropped
        if self.truncated:
            told[f"{split}_shortened"] = self.truncated
        return told

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "sources": [vars(one) for one in self.sources],
            "dropped": dict(sorted(self.dropped.by_reason.items())),
            "first_dropped": [{"reason": why, "place": where} for why, where in self.dropped.first],
            "truncated": self.truncated,
        }
