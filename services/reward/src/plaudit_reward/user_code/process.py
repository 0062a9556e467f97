"""One child process with one program loaded: started, asked, killed."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from plaudit.schemas.common import Contract
from plaudit.telemetry import get_logger
from plaudit_reward.child_process import Broken, Child, ChildLimits, next_line
from plaudit_reward.metrics import USER_CODE_KILLS
from plaudit_reward.reward import Missing
from plaudit_reward.user_code.messages import (
    Answer,
    Call,
    Loaded,
    Program,
    Question,
    Reply,
    line_of,
)

LOAD_TIMEOUT_S = 60.0
"""For importing what the program imports, torch maybe."""
END_TIMEOUT_S = 1.0
MAX_REPLY_BYTES = 64 * 2**20

_MESSAGE: TypeAdapter[Loaded | Call | Reply] = TypeAdapter(Loaded | Call | Reply)

Respond = Callable[[Call], Awaitable[Answer]]

log = get_logger(__name__)


@dataclass(frozen=True)
class UserCodeLimits:
    timeout_s: float
    """For one group, by the clock."""
    memory_bytes: int
    """Resident."""


class ProgramProcess:
    """Not for use again once something has gone wrong: `end` it."""

    def __init__(self, program: Program, child: Child, process: asyncio.subprocess.Process) -> None:
        self.program = program
        self._child = child
        self._process = process

    @classmethod
    async def start(cls, program: Program) -> "ProgramProcess":
        """Raises OSError when there can be no process; what the program does comes later."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "plaudit_reward.user_code.child"),
                    *(str(theirs.fileno()), str(os.getpid())),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=MAX_REPLY_BYTES)
        return cls(program, Child(process.pid, reader, writer), process)

    async def load(self, limits: UserCodeLimits) -> Missing | None:
        """Why the program cannot be had; None when it is ready to be asked."""
        bounds = UserCodeLimits(LOAD_TIMEOUT_S, limits.memory_bytes)
        found = await self._talk(self.program, bounds, _refuse)
        if isinstance(found, Missing):
            return Missing(f"the reward cannot be loaded: {found.reason}", found.retryable)
        error = found.error if isinstance(found, Loaded) else "it does not say that it is loaded"
        return None if error is None else Missing(f"the reward cannot be loaded: {error}")

    async def ask(
        self, question: Question, limits: UserCodeLimits, respond: Respond
    ) -> Reply | Missing:
        found = await self._talk(question, limits, respond)
        if isinstance(found, Loaded):
            return Missing("the reward's process answered something else")
        return found

    async def end(self) -> None:
        """SIGKILL, to whatever it has started in its session, too."""
        self._child.writer.close()
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        await self._process.wait()

    async def _talk(
        self, message: Contract, limits: UserCodeLimits, respond: Respond
    ) -> Loaded | Reply | Missing:
        """What is answered to `message`, after the calls that this leads to."""
        deadline_s = time.monotonic() + limits.timeout_s
        while True:
            self._child.writer.write(line_of(message))
            left_s = deadline_s - time.monotonic()
            line = await next_line(self._child, ChildLimits(left_s, limits.memory_bytes))
            if not isinstance(line, bytes):
                return await self._broken(line, limits)
            try:
                found = _MESSAGE.validate_json(line)
            except ValidationError as error:
                return Missing(f"the reward's process answered no message: {error}"[:500])
            if not isinstance(found, Call):
                return found
            message = await respond(found)

    async def _broken(self, why: Broken, limits: UserCodeLimits) -> Missing:
        USER_CODE_KILLS.labels(why).inc()
        log.warning("user_code_process_ended", program=self.program.place, why=why)
        match why:
            case "timeout":
                return Missing(f"not done within {limits.timeout_s:g} s; its process was killed")
            case "memory":
                limit = f"{limits.memory_bytes} bytes of memory"
                return Missing(f"it took more than {limit}; its process was killed")
            case "too_long":
                return Missing(f"it answered more than {MAX_REPLY_BYTES} bytes")
        return await self._died()

    async def _died(self) -> Missing:
        """How it ended, unless it only closed its connection."""
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                code = await self._process.wait()
        except TimeoutError:
            return Missing("it closed its connection; its process was killed")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        # Somebody's SIGKILL, such as that of the kernel when memory is short, may pass.
        return Missing(f"its process ended with {how}", retryable=code == -signal.SIGKILL)


async def _refuse(call: Call) -> Answer:
    return Answer(error="a reward can ask for something only when it is asked itself")
