"""Ask for every item that has no answer yet, a bounded number at once."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from plaudit.client import JudgeClient
from plaudit.errors import (
    BudgetExceeded,
    NotFound,
    PlauditError,
    Rejected,
    Stalled,
    Unauthorized,
    Unavailable,
)
from plaudit.judging.failures import Failure
from plaudit.judging.items import Item, Source
from plaudit.judging.results import Results
from plaudit.schemas.job import JobView

_POLL_S = 20.0
_ENDS_ALL = (Unauthorized, BudgetExceeded)
"""Say nothing of the item: the next one would fail in the same way."""
_MAX_SUBMISSIONS = 3
"""Of a job that the service forgot, e.g. with its Redis."""


@dataclass
class Progress:
    """What became of the items so far."""

    num_items: int
    num_earlier: int = 0
    """Answered by an earlier run."""
    num_answered: int = 0
    earlier_failures: dict[str, Failure] = field(default_factory=dict)
    """Of other runs, of items that have no answer yet."""
    failures: dict[str, Failure] = field(default_factory=dict)
    """By item, in this run."""

    def succeed(self, item: Item) -> None:
        self.num_answered += 1
        self.earlier_failures.pop(item.item_id, None)

    def fail(self, item: Item, error: str) -> None:
        num_failures = self._num_failures(item) + 1
        self.failures[item.item_id] = Failure(
            id=item.item_id, error=error, num_failures=num_failures
        )

    def key(self, item: Item) -> str:
        """The same in a run that was cut off, another one after a failure."""
        return f"{item.key}.{self._num_failures(item)}"

    def unsolved(self) -> dict[str, Failure]:
        """For the next run: the failures of this one, and earlier ones it did not come to."""
        return {**self.earlier_failures, **self.failures}

    def _num_failures(self, item: Item) -> int:
        earlier = self.earlier_failures.get(item.item_id)
        return earlier.num_failures if earlier else 0

    def num_done(self) -> int:
        return self.num_earlier + self.num_answered + len(self.failures)


class Judging:
    """One run over one file. `stall_timeout_s` without any answer ends it."""

    def __init__(
        self,
        client: JudgeClient,
        source: Source,
        results: Results,
        progress: Progress,
        *,
        stall_timeout_s: float,
        changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._source = source
        self._results = results
        self._progress = progress
        self._stall_timeout_s = stall_timeout_s
        self._changed = changed
        self._progressed_s = time.monotonic()

    async def run(self, concurrency: int) -> None:
        """Raises Unauthorized, Unavailable and Stalled, and whatever would meet every item alike;
        what meets one item alone is in `progress.failures`."""
        items = self._open_items()
        self._progressed_s = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(self._work(items))
        except* PlauditError as errors:
            raise _first(errors) from None

    def _open_items(self) -> Iterator[Item]:
        for item in self._source.items():
            if self._results.has(item):
                self._progress.num_earlier += 1
                self._changed()
            else:
                yield item

    async def _work(self, items: Iterator[Item]) -> None:
        for item in items:
            try:
                view = await self._finish(item)
            except Rejected as error:
                if isinstance(error, _ENDS_ALL):
                    raise
                self._progress.fail(item, str(error))
            else:
                self._take(item, view)
            self._progressed_s = time.monotonic()
            self._changed()

    def _take(self, item: Item, view: JobView) -> None:
        if view.result is None:
            self._progress.fail(item, view.error or f"the job is {view.status}")
        else:
            self._results.append(item, view.result)
            self._progress.succeed(item)

    async def _finish(self, item: Item) -> JobView:
        """The key makes it the job of an earlier run, where the service still has that."""
        for _ in range(_MAX_SUBMISSIONS):
            try:
                return await self._wait(item, await self._submit(item))
            except NotFound:
                continue
        raise Unavailable(
            f"{self._client.peer} forgets its jobs: {item.item_id!r} was submitted "
            f"{_MAX_SUBMISSIONS} times.",
            fix="look whether its Redis loses data (maxmemory-policy must be noeviction)",
        )

    async def _submit(self, item: Item) -> str:
        accepted = await self._client.submit_job(
            self._source.verb.name, item.request, idempotency_key=self._progress.key(item)
        )
        return accepted.job_id

    async def _wait(self, item: Item, job_id: str) -> JobView:
        wait_s = min(_POLL_S, self._stall_timeout_s)
        while True:
            view = await self._client.job(job_id, wait_s=wait_s)
            if view.status not in ("queued", "running"):
                return view
            if time.monotonic() - self._progressed_s > self._stall_timeout_s:
                raise Stalled(
                    f"no item was answered for --stall-timeout-s = {self._stall_timeout_s:g} "
                    f"(item {item.item_id!r} is {view.status}).",
                    fix="check that the judge has a worker (`plaudit queue`) and that its "
                    "endpoint answers; then run the same command again",
                )


def _first(errors: BaseExceptionGroup[PlauditError]) -> PlauditError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
