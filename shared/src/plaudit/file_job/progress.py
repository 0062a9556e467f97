"""What became of the items of a job so far."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from plaudit.file_job.failures import Failure


class Asked(Protocol):
    """An item. `key` stands for all that is asked: another question has another key."""

    @property
    def item_id(self) -> str: ...

    @property
    def key(self) -> str: ...


A = TypeVar("A", bound=Asked)


@dataclass
class Progress:
    num_items: int
    num_earlier: int = 0
    """Answered by an earlier run."""
    num_answered: int = 0
    earlier_failures: dict[str, Failure] = field(default_factory=dict)
    """Of other runs, of items that have no answer yet."""
    failures: dict[str, Failure] = field(default_factory=dict)
    """By item, in this run."""
    changed: Callable[[], None] = lambda: None

    def open(self, items: Iterable[A], is_answered: Callable[[A], bool]) -> Iterator[A]:
        """Those without an answer."""
        for item in items:
            if is_answered(item):
                self.num_earlier += 1
                self.changed()
            else:
                yield item

    def succeed(self, item: Asked) -> None:
        self.num_answered += 1
        self.earlier_failures.pop(item.item_id, None)
        self.changed()

    def fail(self, item: Asked, error: str) -> None:
        num_failures = self._num_failures(item) + 1
        self.failures[item.item_id] = Failure(
            id=item.item_id, error=error, num_failures=num_failures
        )
        self.changed()

    def key(self, item: Asked) -> str:
        """The same in a run that was cut off, another one after a failure."""
        return f"{item.key}.{self._num_failures(item)}"

    def unsolved(self) -> dict[str, Failure]:
        """For the next run: the failures of this one, and earlier ones it did not come to."""
        return {**self.earlier_failures, **self.failures}

    def num_done(self) -> int:
        return self.num_earlier + self.num_answered + len(self.failures)

    def _num_failures(self, item: Asked) -> int:
        earlier = self.earlier_failures.get(item.item_id)
        return earlier.num_failures if earlier else 0
