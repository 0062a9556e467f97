"""/livez: the process runs. /readyz: it can do its work now. /metrics: Prometheus text."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI, Response

from plaudit.errors import PlauditError, Unavailable
from plaudit.telemetry.metrics import METRICS_CONTENT_TYPE, metrics_text

Check = Callable[[], Awaitable[str | None]]
"""Raises Unavailable when what it looks at cannot be used. What it returns is shown in place of
`ok`."""

MoreMetrics = Callable[[], Awaitable[bytes]]
"""Prometheus text made when /metrics is asked; never raises, bounds its own time."""

CHECK_TIMEOUT_S = 2.0
CACHE_S = 0.5


class Readiness:
    """Runs all checks at once; the answer is kept for half a second, however often it is asked."""

    def __init__(self, checks: Mapping[str, Check], draining: asyncio.Event) -> None:
        self.checks = checks
        self.draining = draining
        self._lock = asyncio.Lock()
        self._failures: list[str] = []
        self._found: dict[str, str] = {}
        self._checked_at = float("-inf")

    async def require(self) -> dict[str, str]:
        """What each check found. Raises Unavailable naming every one that fails."""
        if self.draining.is_set():
            raise Unavailable("The service is shutting down.", retry_after_s=1.0)
        async with self._lock:
            if time.monotonic() - self._checked_at > CACHE_S:
                await self._check_all()
                self._checked_at = time.monotonic()
        if self._failures:
            raise Unavailable("; ".join(self._failures), retry_after_s=1.0)
        return self._found

    async def _check_all(self) -> None:
        results = await asyncio.gather(*map(run_check, self.checks.values()))
        named = list(zip(self.checks, results, strict=True))
        self._failures = [f"{name}: {text}" for name, (passed, text) in named if not passed]
        self._found = {name: text for name, (_, text) in named}


async def run_check(check: Check) -> tuple[bool, str]:
    """Whether it passed, and what it found or why it failed."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return True, await check() or "ok"
    except TimeoutError:
        return False, f"no answer within {CHECK_TIMEOUT_S:g} s"
    except PlauditError as error:
        return False, str(error)
    except Exception as error:  # why: whatever a check raises means that it failed.
        return False, f"{type(error).__name__}: {error}"


def add_health_routes(
    app: FastAPI, readiness: Readiness, more_metrics: MoreMetrics | None = None
) -> None:
    @app.get("/livez", tags=["health"], summary="The process runs")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", tags=["health"], summary="The service can do its work")
    async def readyz() -> dict[str, object]:
        return {"status": "ready", "checks": await readiness.require()}

    @app.get("/metrics", tags=["health"], summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        more = await more_metrics() if more_metrics else b""
        return Response(metrics_text() + more, media_type=METRICS_CONTENT_TYPE)
