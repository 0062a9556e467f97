"""The processes of a worker in which rewards of users run: a few, each with one program."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from plaudit.telemetry import get_logger
from plaudit_reward.reward import Missing, Score
from plaudit_reward.user_code.messages import Program, Question, from_wire
from plaudit_reward.user_code.process import ProgramProcess, Respond, UserCodeLimits

RETRY_LOAD_S = 10.0
"""A program that cannot be loaded is not tried again before this."""
MAX_REMEMBERED = 64

log = get_logger(__name__)


@dataclass
class UserCode:
    """`async with UserCode(dirs, limits, 2) as code: await code.score(program, question, ...)`."""

    dirs: Sequence[Path]
    """Below which files may be run."""
    limits: UserCodeLimits
    num_processes: int
    _idle: list[ProgramProcess] = field(default_factory=list)
    """The one used last at the end."""
    _num_busy: int = 0
    _unloadable: dict[Program, tuple[Missing, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.num_processes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().end()

    async def score(self, program: Program, question: Question, respond: Respond) -> list[Score]:
        """One score per completion, each Missing with the reason where the program failed."""
        async with self._places:
            self._num_busy += 1
            try:
                found = await self._ask(program, question, respond)
            finally:
                self._num_busy -= 1
        num_completions = len(question.group.completions)
        return found if isinstance(found, list) else _all_missing(found, num_completions)

    async def _ask(
        self, program: Program, question: Question, respond: Respond
    ) -> list[Score] | Missing:
        process = await self._process(program)
        if isinstance(process, Missing):
            return process
        is_whole = False
        try:
            reply = await process.ask(question, self.limits, respond)
            is_whole = not isinstance(reply, Missing)
        finally:
            if is_whole:
                self._idle.append(process)
            else:
                await process.end()
        if isinstance(reply, Missing):
            return reply
        if reply.output:
            log.info("user_code_output", program=program.place, text=reply.output)
        if reply.error is not None:
            return Missing(f"the reward failed: {reply.error}")
        return from_wire(reply.scores)

    async def _process(self, program: Program) -> ProgramProcess | Missing:
        """One that is idle, or a new one in the place of the one that was idle for longest."""
        await self._end_others_of(program)
        for index in reversed(range(len(self._idle))):
            if self._idle[index].program == program:
                return self._idle.pop(index)
        if known := self._known_failure(program):
            return known
        while self._idle and len(self._idle) + self._num_busy > self.num_processes:
            await self._idle.pop(0).end()
        return await self._start(program)

    async def _start(self, program: Program) -> ProgramProcess | Missing:
        try:
            process = await ProgramProcess.start(program)
        except OSError as error:
            return Missing(f"the reward's process cannot be started: {error}", retryable=True)
        is_loaded = False
        try:
            failure = await process.load(self.limits)
            is_loaded = failure is None
        finally:
            if not is_loaded:
                await process.end()
        if failure is None:
            return process
        self._remember(program, failure)
        return failure

    async def _end_others_of(self, program: Program) -> None:
        """Of a file that has changed."""
        stale = [
            one
            for one in self._idle
            if one.program.place == program.place and one.program != program
        ]
        self._idle = [one for one in self._idle if one not in stale]
        for one in stale:
            await one.end()

    def _known_failure(self, program: Program) -> Missing | None:
        missing, until_s = self._unloadable.get(program, (None, 0.0))
        return missing if time.monotonic() < until_s else None

    def _remember(self, program: Program, failure: Missing) -> None:
        while len(self._unloadable) >= MAX_REMEMBERED:
            self._unloadable.pop(next(iter(self._unloadable)))
        self._unloadable[program] = failure, time.monotonic() + RETRY_LOAD_S


def _all_missing(why: Missing, num_completions: int) -> list[Score]:
    """The whole reason once a group: tracebacks are long."""
    last = why.reason.rpartition("\n")[2]
    brief = why if last == why.reason else Missing(f"as the first of the group: {last}"[:500])
    others = Missing(brief.reason, why.retryable)
    return [why, *[others] * (num_completions - 1)]
