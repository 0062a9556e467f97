"""Anthropic's Message Batches: half the price, answered within a day.

Asks are gathered, sent as one batch, and handed their results when the batch has ended. An ask that
the log has in a batch already (this worker was restarted) waits for that one.
Source: platform.claude.com, Message Batches API.
"""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from plaudit.errors import DeadlineExceeded, NotFound, PlauditError, Unavailable
from plaudit.telemetry import get_logger
from plaudit_judge.chance import digest
from plaudit_judge.judges.claude_batch_log import BatchLog
from plaudit_judge.judges.claude_batch_spec import BatchSpec
from plaudit_judge.judges.claude_batch_wire import BatchWire, Outcome

if TYPE_CHECKING:
    from anthropic.types import Message

log = get_logger(__name__)
_MAX_BYTES = 100 * 2**20
"""Of the asks in one batch; the API takes 256 MB."""
Body = Mapping[str, Any]


class Batches:
    """Of one judge in one worker. Equal asks share one request."""

    def __init__(self, wire: BatchWire, spec: BatchSpec, batch_log: BatchLog) -> None:
        self._wire = wire
        self._spec = spec
        self._log = batch_log
        self._wanted: dict[str, asyncio.Future[Message]] = {}
        self._gathering: dict[str, Body] = {}
        self._num_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._followed: dict[str, set[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, body: Body, seed: int) -> "Message":
        """`seed` tells apart the votes on one question, which are different draws.

        Raises Rejected: the question itself is refused; Unavailable: it may be asked again.
        """
        text = json.dumps(body, sort_keys=True)
        ask = digest(text, str(seed))
        wanted = self._wanted.get(ask) or self._want(ask, body, len(text))
        return await asyncio.shield(wanted)

    async def aclose(self) -> None:
        """Batches that run go on, and are found again."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._log.aclose()

    def _want(self, ask: str, body: Body, num_bytes: int) -> "asyncio.Future[Message]":
        loop = asyncio.get_running_loop()
        wanted = self._wanted[ask] = loop.create_future()
        wanted.add_done_callback(partial(self._answered, ask))
        self._gathering[ask] = body
        self._num_bytes += num_bytes
        if len(self._gathering) >= self._spec.batch_max_requests or self._num_bytes > _MAX_BYTES:
            self._send()
        elif self._timer is None:
            self._timer = loop.call_later(self._spec.batch_wait_s, self._send)
        return wanted

    def _answered(self, ask: str, wanted: "asyncio.Future[Message]") -> None:
        del self._wanted[ask]
        if not wanted.cancelled():
            wanted.exception()  # why: nobody may be waiting for it any more

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        gathered, self._gathering = self._gathering, {}
        self._timer, self._num_bytes = None, 0
        self._start(self._submit(gathered))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _submit(self, gathered: Mapping[str, Body]) -> None:
        try:
            found = await self._log.find(list(gathered))
            for ask, batch in found.items():
                self._follow(batch, {ask})
            fresh = {ask: body for ask, body in gathered.items() if ask not in found}
            if fresh:
                batch = await self._wire.create(fresh)
                self._follow(batch, set(fresh))
                await self._log.note(batch, fresh)
        except PlauditError as error:
            log.warning("batch_not_submitted", num_asks=len(gathered), error=error.message)
            followed = set().union(*self._followed.values())
            self._settle({ask: error for ask in gathered if ask not in followed})

    def _follow(self, batch: str, asks: set[str]) -> None:
        if batch in self._followed:
            self._followed[batch] |= asks
        else:
            self._followed[batch] = asks
            self._start(self._read(batch))

    async def _read(self, batch: str) -> None:
        try:
            async with asyncio.timeout(self._spec.batch_deadline_s):
                asks, outcomes = await self._poll(batch)
        except TimeoutError:
            await self._wire.cancel(batch)
            late = DeadlineExceeded(f"The batch {batch} had not ended after batch_deadline_s.")
            asks = self._followed[batch]
            outcomes = dict.fromkeys(asks, late)
        except NotFound:
            asks, outcomes = self._followed[batch], {}
        except PlauditError as error:
            self._settle(dict.fromkeys(self._followed.pop(batch), error))
            return
        if missed := self._followed.pop(batch) - asks:
            self._follow(batch, missed)
        nothing = Unavailable(f"The batch {batch} has no result for a request that was in it.")
        await self._hand_out(batch, {ask: outcomes.get(ask, nothing) for ask in asks})

    async def _poll(self, batch: str) -> tuple[set[str], dict[str, Outcome]]:
        """The asks that were followed when the results were read, and the results."""
        while True:
            try:
                if await self._wire.has_ended(batch):
                    asks = set(self._followed[batch])
                    return asks, await self._wire.results(batch, asks)
            except Unavailable as error:
                log.warning("batch_unavailable", batch=batch, error=error.message)
            await asyncio.sleep(self._spec.batch_poll_s)

    async def _hand_out(self, batch: str, outcomes: Mapping[str, Outcome]) -> None:
        """The log comes first: who hears that its ask failed asks again at once."""
        failed = [ask for ask, outcome in outcomes.items() if isinstance(outcome, PlauditError)]
        try:
            await self._log.note_read(batch, outcomes.keys() - failed)
            await self._log.forget(failed)
        except Unavailable as error:
            log.warning("batch_log_away", batch=batch, error=error.message)
        self._settle(outcomes)

    def _settle(self, outcomes: Mapping[str, Outcome]) -> None:
        for ask, outcome in outcomes.items():
            wanted = self._wanted.get(ask)
            if wanted is None or wanted.done():
                continue
            if isinstance(outcome, PlauditError):
                wanted.set_exception(outcome)
            else:
                wanted.set_result(outcome)
