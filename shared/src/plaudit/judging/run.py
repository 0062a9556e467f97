"""Ask for every item that has no answer yet, a bounded number at once."""

import time

from plaudit.client import JudgeClient
from plaudit.errors import NotFound, Rejected, Stalled, Unavailable
from plaudit.file_job.progress import Progress
from plaudit.file_job.work import ENDS_ALL, work_through
from plaudit.judging.items import Item, Source
from plaudit.judging.results import Results
from plaudit.schemas.job import JobView

_POLL_S = 20.0
_MAX_SUBMISSIONS = 3
"""Of a job that the service forgot, e.g. with its Redis."""


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
    ) -> None:
        self._client = client
        self._source = source
        self._results = results
        self._progress = progress
        self._stall_timeout_s = stall_timeout_s
        self._progressed_s = time.monotonic()

    async def run(self, concurrency: int) -> None:
        """Raises Unauthorized, Unavailable and Stalled, and whatever would meet every item alike;
        what meets one item alone is in `progress.failures`."""
        items = self._progress.open(self._source.items(), self._results.has)
        self._progressed_s = time.monotonic()
        await work_through(items, concurrency, self._work)

    async def _work(self, item: Item) -> None:
        try:
            view = await self._finish(item)
        except Rejected as error:
            if isinstance(error, ENDS_ALL):
                raise
            self._progress.fail(item, str(error))
        else:
            self._take(item, view)
        self._progressed_s = time.monotonic()

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
