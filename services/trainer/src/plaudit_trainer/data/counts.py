"""What became of the rows that were read."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class SourceCounts:
    """Of one source: how many of its rows were read, kept, and dropped for which reason."""

    name: str
    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass
class DataCounts:
    """Of one split; `dropped` and `truncated` are of the rows that the sources kept."""

    sources: list[SourceCounts] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    truncated: int = 0
    rows: int = 0

    def source(self, name: str) -> SourceCounts:
        self.sources.append(SourceCounts(name))
        return self.sources[-1]

    def all_dropped(self) -> dict[str, int]:
        """By reason, of all sources."""
        total = sum((one.dropped for one in self.sources), Counter(self.dropped))
        return dict(sorted(total.items()))

    def as_json(self) -> dict[str, Any]:
        sources = [{"name": one.name, "read": one.read, "kept": one.kept} for one in self.sources]
        return {
            "rows": self.rows,
            "sources": sources,
            "dropped": self.all_dropped(),
            "truncated": self.truncated,
        }
