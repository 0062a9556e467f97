"""/livez: the process runs. /readyz: it can do its work now. /metrics: Prometheus text."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI, Response

from plaudit.errors import PlauditError, Unavailable
from plaudit.telemetry.metrics import METRICS_CONTENT_TYPE, metrics_text

Check = Callable[[], Awaitable[None]]
"""Raises Unavailable when what it looks at cannot be used."""

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
        self._checked_at = float("-inf")

    async def require(self) -> None:
        """Raises Unavailable naming every check that fails."""
        if self.draining.is_set():
            raise Unavailable("The service is shutting down.", retry_after_s=1.0)
        async with self._lock:
            if time.monotonic() - self._checked_at > CACHE_S:
                results = await asyncio.gather(*(run_check(n, c) for n, c in self.checks.items()))
                self._failures = [line for line in results if line is not None]
                self._checked_at = time.monotonic()
        if self._failures:
            raise Unavailable("; ".join(self._failures), retry_after_s=1.0)


async def run_check(name: str, check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except TimeoutError:
        return f"{name}: no answer within {CHECK_TIMEOUT_S:g} s"
    except PlauditError as error:
        return f"{name}: {error}"
    except Exception as error:  # why: whatever a check raises means that it failed.
        return f"{name}: {type(error).__name__}: {error}"
    return None


def add_health_routes(
    app: FastAPI, readiness: Readiness, more_metrics: MoreMetrics | None = None
) -> None:
    @app.get("/livez", tags=["health"], summary="The process runs")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", tags=["health"], summary="The service can do its work")
    async def readyz() -> dict[str, object]:
        await readiness.require()
        return {"status": "ready", "checks": dict.fromkeys(readiness.checks, "ok")}

    @app.get("/metrics", tags=["health"], summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        more = await more_metrics() if more_metrics else b""
        return Response(metrics_text() + more, media_type=METRICS_CONTENT_TYPE)
