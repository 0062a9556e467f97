"""Runs vLLM and starts it again when it dies or does not answer any more."""

import asyncio
import errno
import os
import time
from contextlib import suppress
from pathlib import Path

import aiohttp

from plaudit.telemetry import get_logger
from plaudit_rollout.engine.command import Command, make_command
from plaudit_rollout.engine.process import EngineProcess
from plaudit_rollout.engine.untie import untied
from plaudit_rollout.metrics import ENGINE_STARTS, ENGINE_STARTUP_SECONDS, ENGINE_UP
from plaudit_rollout.settings import RolloutSettings

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STABLE_S = 120.0
"""After so long a life the next pause is short again."""
_READY_POLL_S = 0.1
_ALIVE_POLL_S = 1.0
_CHECK_TIMEOUT_S = 5.0
_REFUSED = 0
"""In place of an HTTP status: nobody listens on the port."""
_WHY_OVER: dict[int | None, str] = {
    503: "the engine core is dead",
    # vLLM ends when its core died, and may wait for ever for requests that nobody answers now.
    _REFUSED: "it has closed its port",
}
"""By what a server that was ready says on /health."""

log = get_logger(__name__)


async def supervise(settings: RolloutSettings, stop: asyncio.Event) -> None:
    """Until `stop`. Raises ConfigError: no vLLM here, or no such model."""
    model = await asyncio.to_thread(untied, settings.model, _cache_dir())
    pause_s = _FIRST_PAUSE_S
    while not stop.is_set():
        started = time.monotonic()
        # why: made anew each time, so that a restarted engine draws other samples.
        await _run_once(make_command(settings, model), settings, stop)
        if stop.is_set():
            return
        if time.monotonic() - started > _STABLE_S:
            pause_s = _FIRST_PAUSE_S
        log.warning("engine_restarts", pause_s=pause_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await stop.wait()
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def _run_once(command: Command, settings: RolloutSettings, stop: asyncio.Event) -> None:
    ENGINE_STARTS.inc()
    process = EngineProcess(command)
    log.info("engine_starting", pid=process.pid, port=settings.engine_port)
    watching = asyncio.create_task(_watch(process, settings))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            log.error("engine_ended", reason=watching.result())
    finally:
        watching.cancel()
        stopping.cancel()
        ENGINE_UP.set(0)
        await process.stop(settings.stop_timeout_s)


async def _watch(process: EngineProcess, settings: RolloutSettings) -> str:
    """Returns why this run of vLLM is over."""
    started = last_answer = time.monotonic()
    is_ready = False
    url = f"http://{_reachable(settings.engine_host)}:{settings.engine_port}"
    async with aiohttp.ClientSession() as session:
        while process.exit_code is None:
            now = time.monotonic()
            if is_ready and (why := _WHY_OVER.get(await _status(session, f"{url}/health"))):
                await asyncio.sleep(_READY_POLL_S)  # one that just ends has an exit code by then
                return why if process.exit_code is None else _exited(process)
            # why: this one asks the core, which may hang while /health says 200.
            if await _status(session, f"{url}/weight_info") == 200:
                last_answer = now
                if not is_ready:
                    is_ready = True
                    _log_ready(now - started)
            limit_s = settings.unresponsive_timeout_s if is_ready else settings.start_timeout_s
            if now - last_answer > limit_s:
                what = "unresponsive_timeout_s" if is_ready else "start_timeout_s"
                return f"no answer for {what} = {limit_s:g}"
            await asyncio.sleep(_ALIVE_POLL_S if is_ready else _READY_POLL_S)
    return _exited(process)


def _exited(process: EngineProcess) -> str:
    return f"exit code {process.exit_code}"


def _log_ready(startup_s: float) -> None:
    ENGINE_STARTUP_SECONDS.set(startup_s)
    ENGINE_UP.set(1)
    log.info("engine_ready", startup_s=round(startup_s, 1))


async def _status(session: aiohttp.ClientSession, url: str) -> int | None:
    """None without an answer; _REFUSED without a listener."""
    try:
        timeout = aiohttp.ClientTimeout(total=_CHECK_TIMEOUT_S)
        async with session.get(url, timeout=timeout) as response:
            return response.status
    except aiohttp.ClientConnectorError as error:
        return _REFUSED if error.errno == errno.ECONNREFUSED else None
    except (aiohttp.ClientError, TimeoutError):
        return None


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host


def _cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "plaudit" / "engine"
