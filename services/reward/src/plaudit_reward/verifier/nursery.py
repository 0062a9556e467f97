"""The zygote as its parent sees it: where verifier children come from and how they end."""

import asyncio
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from plaudit.errors import Unavailable
from plaudit.telemetry import get_logger
from plaudit_reward.child_process import Child
from plaudit_reward.verifier.messages import KILL, START
from plaudit_reward.verifier.noted import Noted, empty_notes

START_TIMEOUT_S = 60.0
"""Importing sympy takes that long on a machine that is busy beyond reason."""
CALL_TIMEOUT_S = 10.0
_MAX_REPLY_BYTES = 64
_MAX_LINE_BYTES = 2**20

log = get_logger(__name__)


@dataclass(frozen=True)
class VerifierChild(Child):
    noted: Noted


class Nursery:
    """`start` and `kill` raise Unavailable when the zygote cannot be had."""

    def __init__(self) -> None:
        self._zygote: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end_zygote()

    async def start(self) -> VerifierChild:
        ours, theirs = socket.socketpair()
        with theirs, empty_notes() as file:
            noted = Noted(file)
            try:
                pid = int(await self._call(START, [theirs.fileno(), file.fileno()]))
            except BaseException:
                ours.close()
                raise
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_MAX_LINE_BYTES)
        return VerifierChild(pid, reader, writer, noted)

    async def kill(self, child: Child) -> None:
        """SIGKILL. A zygote that is gone has taken its children with it."""
        child.writer.close()
        try:
            await self._call(KILL + str(child.pid).encode())
        except Unavailable as error:
            log.warning("verifier_zygote_died", error=str(error))

    async def _call(self, message: bytes, handles: Sequence[int] = ()) -> bytes:
        async with self._lock:
            if message == START:
                await self._ensure_zygote()
            if self._control is None:
                raise Unavailable("The verifier's zygote is not running.")
            try:
                socket.send_fds(self._control, [message], handles)
                return await self._receive(self._control, CALL_TIMEOUT_S)
            except (OSError, TimeoutError) as error:
                await self._end_zygote()
                raise Unavailable(f"The verifier's zygote does not answer: {error!r}.") from error

    async def _ensure_zygote(self) -> None:
        if self._zygote is not None and self._zygote.returncode is None:
            return
        await self._end_zygote()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        with theirs:
            self._zygote = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "plaudit_reward.verifier.zygote",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
            )
        try:
            await self._receive(self._control, START_TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            await self._end_zygote()
            raise Unavailable(f"The verifier's zygote did not start: {error!r}.") from error

    async def _receive(self, control: socket.socket, timeout_s: float) -> bytes:
        async with asyncio.timeout(timeout_s):
            reply = await asyncio.get_running_loop().sock_recv(control, _MAX_REPLY_BYTES)
        if not reply:
            raise ConnectionError("it has ended")
        return reply

    async def _end_zygote(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._zygote is not None:
            if self._zygote.returncode is None:
                self._zygote.kill()
            await self._zygote.wait()
            self._zygote = None
