"""The launcher process as the service sees it: start it, hand it runs, notice its death."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

import plaudit_sandbox
from plaudit.errors import Unavailable
from plaudit.telemetry import get_logger
from plaudit_sandbox.settings import SandboxSettings
from plaudit_sandbox.workspace import Workspace, remove_leftovers

START_TIMEOUT_S = 15.0
_MAX_HELLO_BYTES = 2**16
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from plaudit_sandbox.launcher.zygote import main; main()"
)

log = get_logger(__name__)


class Launcher:
    """One launcher process. `protections` are those in force for every run."""

    def __init__(
        self, process: asyncio.subprocess.Process, control: socket.socket, workspace: Workspace
    ) -> None:
        self.process = process
        self.protections: tuple[str, ...] = ()
        self._control = control
        self._workspace = workspace

    @classmethod
    async def start(cls, settings: SandboxSettings, readable: Iterable[str]) -> "Launcher":
        """Start it with an empty environment. Raises Unavailable when it does not come up.

        `readable`: directories of toolchains, which programs may read.
        """
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        await asyncio.to_thread(remove_leftovers)
        workspace = Workspace()
        options = {
            "control": theirs.fileno(),
            "directory": workspace.path,
            "uid": settings.run_uid,
            "disk_bytes": settings.disk_bytes,
            "max_processes": settings.max_processes,
            "max_concurrency": settings.max_concurrency,
            "cgroup_directory": settings.cgroup_directory,
            "toolchains": list(readable),
        }
        source = Path(plaudit_sandbox.__file__).parents[1]
        arguments = ["-I", "-S", "-X", "utf8", "-c", _BOOT, json.dumps(options), str(source)]
        with theirs:
            process = await asyncio.create_subprocess_exec(
                _interpreter(),
                *arguments,
                env={},
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        control.setblocking(False)
        launcher = cls(process, control, workspace)
        launcher.protections = await launcher._hello()
        log.info("launcher_started", pid=process.pid, protections=launcher.protections)
        return launcher

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    def hand_over(self, connection: socket.socket) -> None:
        """Have a monitor serve the other end of this socket. Raises Unavailable when it is gone."""
        try:
            socket.send_fds(self._control, [b"r"], [connection.fileno()])
        except OSError as error:
            raise Unavailable(f"The sandbox's launcher does not answer: {error}.") from error

    async def stop(self) -> None:
        """The launcher ends when its control socket closes; runs in progress end by themselves."""
        self._control.close()
        try:
            await asyncio.wait_for(self.process.wait(), timeout=2.0)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        self._workspace.remove()

    async def _hello(self) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                message = await loop.sock_recv(self._control, _MAX_HELLO_BYTES)
            return tuple(json.loads(message))
        except (TimeoutError, ValueError) as error:
            await self.stop()
            raise Unavailable(
                f"The sandbox's launcher did not start within {START_TIMEOUT_S:g} s; "
                f"its exit code is {self.process.returncode}.",
                fix="the reason is in this service's standard error, above.",
            ) from error


def _interpreter() -> str:
    """The interpreter below the virtual environment: programs see its standard library only."""
    executable: str = sys._base_executable  # type: ignore[attr-defined]
    return os.path.realpath(executable)
