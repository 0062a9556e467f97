"""What a named key may do in this process: its scopes, and its limits over all its requests."""

import time
from collections.abc import Collection
from typing import TypeVar

from starlette.types import Scope

from plaudit.config.keys import NamedKey
from plaudit.errors import BodyTooLarge, Forbidden, PlauditError, QueueFull
from plaudit.service.body_limit import BodyBound, body_too_large
from plaudit.service.scopes import needed_scope
from plaudit.service.token_bucket import TokenBucket
from plaudit.telemetry.metrics import counter
from plaudit.telemetry.trace import bind_caller

KEY_REFUSALS = counter(
    "plaudit_http_key_refusals_total",
    "Requests of a named key that went beyond its scopes or limits, by the limit.",
    ("service", "key", "limit"),
)
GATE = "plaudit.gate"
"""Where a request's scope holds its gate: not in `request.state`, which costs 2 us to look at."""
E = TypeVar("E", bound=PlauditError)


class Gate:
    """Every request of one named key enters and leaves here."""

    def __init__(self, service: str, name: str, key: NamedKey, lists: Collection[str]) -> None:
        self.name = name
        self._service = service
        self._key = key
        self._lists = frozenset(lists)
        self._num_in_progress = 0
        self._bucket = TokenBucket(key.requests_per_minute) if key.requests_per_minute else None
        self.body_bound = self._body_bound(key.max_body_bytes)
        """None: the service's own holds."""

    def enter(self, scope: Scope) -> None:
        """Raises Forbidden or QueueFull, and then it was not entered."""
        needed = needed_scope(scope["method"], scope["path"], self._lists)
        if needed is not None:
            self.check_scope(needed)
        self._check_concurrency()
        self._check_rate()
        self._num_in_progress += 1
        scope[GATE] = self
        bind_caller(self.name)

    def leave(self) -> None:
        self._num_in_progress -= 1

    def check_scope(self, scope: str) -> None:
        scopes = self._key.scopes
        if scopes is None or scope in scopes:
            return
        raise self._refusal(
            "scopes",
            Forbidden(
                f"The key {self.name!r} has no scope {scope[:80]!r}: "
                f"keys.{self.name}.scopes = {', '.join(scopes)}.",
                fix="ask for what the key may, or have the scope added in the service's settings.",
            ),
        )

    def _check_concurrency(self) -> None:
        limit = self._key.max_concurrent_requests
        if limit is not None and self._num_in_progress >= limit:
            raise self._refusal(
                "max_concurrent_requests",
                QueueFull(
                    f"keys.{self.name}.max_concurrent_requests = {limit} requests are being "
                    f"answered already.",
                    retry_after_s=1.0,
                ),
            )

    def _check_rate(self) -> None:
        if self._bucket is None:
            return
        if wait_s := self._bucket.take(time.monotonic()):
            limit = self._key.requests_per_minute
            raise self._refusal(
                "requests_per_minute",
                QueueFull(
                    f"keys.{self.name}.requests_per_minute = {limit} is used up.",
                    retry_after_s=wait_s,
                ),
            )

    def _body_bound(self, max_bytes: int | None) -> BodyBound | None:
        if max_bytes is None:
            return None

        def too_large() -> BodyTooLarge:
            error = body_too_large(f"keys.{self.name}.max_body_bytes", max_bytes)
            return self._refusal("max_body_bytes", error)

        return BodyBound(max_bytes, too_large)

    def _refusal(self, limit: str, error: E) -> E:
        count_refusal(self._service, self.name, limit)
        return error


def count_refusal(service: str, key: str, limit: str) -> None:
    """`key` is a name in the settings."""
    KEY_REFUSALS.labels(service, key, limit).inc()
