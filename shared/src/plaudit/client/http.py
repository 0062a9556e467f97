"""One HTTP client under all others: one retry layer, one deadline, bounded answers."""

import asyncio
import io
import os
import re
from collections.abc import Mapping
from typing import Self, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
from pydantic import BaseModel, ValidationError

from plaudit.client.options import ClientOptions
from plaudit.client.problems import error_of, quote
from plaudit.client.retry import Attempts
from plaudit.errors import (
    BodyTooLarge,
    ConfigError,
    PlauditError,
    Rejected,
    Unavailable,
)
from plaudit.telemetry.redact import escape_control, redact_text
from plaudit.telemetry.trace import current_request_id, current_traceparent

DNS_CACHE_S = 10
HEALTH_TIMEOUT_S = 2.0
LARGE_BODY_BYTES = 2**20
IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,256}")

M = TypeVar("M", bound=BaseModel)


class HttpClient:
    """Base of the clients. Safe for many tasks of one event loop; close it with `aclose`.

    Every call may raise: Unavailable (and its QueueFull, DeadlineExceeded) when retrying did not
    help, Rejected (and its NotFound, Unauthorized, ...) at once.
    """

    service = "service"
    how_to_reach: str | None = None
    """What to do when nobody is there; absent: as for Plaudit's own services."""

    def __init__(self, base_url: str, options: ClientOptions | None = None) -> None:
        self.base_url = checked_url(base_url, self.service)
        self.options = options or ClientOptions()
        if self.options.api_key is not None and urlsplit(base_url).username is not None:
            raise ConfigError(
                f"{self.service}_url = {redact_text(base_url)!r} has a user name, and there is an "
                "api_key: a request carries one of them.",
                fix="leave one out",
            )
        self.peer = f"{self.service} at {redact_text(self.base_url)}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def healthy(self) -> bool:
        """Whether the service says that it can do its work; never raises, at most 2 s."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_S):
                status, _, _ = await self._attempt("GET", "/readyz", None, {}, None)
        except (PlauditError, TimeoutError):
            return False
        return status == 200

    async def get(
        self,
        path: str,
        answer: type[M],
        *,
        params: Mapping[str, str | int | float] | None = None,
        timeout_s: float | None = None,
    ) -> M:
        return await self.call("GET", path, None, answer, params=params, timeout_s=timeout_s)

    async def post(
        self,
        path: str,
        body: BaseModel,
        answer: type[M],
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> M:
        """Every POST carries an Idempotency-Key, so that an attempt may be repeated."""
        key = checked_key(idempotency_key) if idempotency_key else uuid4().hex
        headers = {"idempotency-key": key}
        return await self.call("POST", path, body, answer, headers=headers, timeout_s=timeout_s)

    async def call(
        self,
        method: str,
        path: str,
        body: BaseModel | None,
        answer: type[M],
        *,
        params: Mapping[str, str | int | float] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> M:
        """One call with all its attempts, within `timeout_s` (default: the options').

        Each attempt tells the peer how long its answer is waited for.
        """
        content = None if body is None else body.model_dump_json().encode()
        sent = {**(headers or {}), **self._context_headers(content)}
        attempts = Attempts(self.options, timeout_s or self.options.timeout_s, self.peer)

        async def once() -> M:
            headers = {**sent, "x-deadline-s": f"{attempts.peer_deadline_s():.3f}"}
            return await self._once(method, path, params, headers, content, answer)

        return await attempts.run(once)

    async def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int | float] | None,
        headers: Mapping[str, str],
        content: bytes | None,
        answer: type[M],
    ) -> M:
        status, received, body = await self._attempt(method, path, params, headers, content)
        if not 200 <= status < 300:
            raise error_of(self.peer, status, received, body)
        try:
            return answer.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            raise Unavailable(
                f"{self.peer} answered something that is no {answer.__name__} "
                f"({where}: {first['msg']}): {quote(body)}",
                fix="check that the URL names this service and that both run the same version.",
            ) from None

    async def _attempt(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int | float] | None,
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request on the wire: status, headers, and the bounded body."""
        if self._session is None:
            self._session = self._open_session()
        url = self.base_url + path
        try:
            async with self._session.request(
                method,
                url,
                params=params,
                headers=headers,
                data=_in_pieces(content),
                allow_redirects=False,
            ) as response:
                return response.status, response.headers, await self._read(response)
        except aiohttp.ClientError as error:
            raise self._unavailable(error) from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        if (coding := response.headers.get("content-encoding", "identity")) != "identity":
            # why: unpacked it may be of any size; `accept-encoding` asked for plain bytes.
            raise Unavailable(
                f"{self.peer} does not speak HTTP as expected: "
                f"content-encoding {escape_control(coding[:80])!r} was not asked for."
            )
        chunks: list[bytes] = []
        num_bytes = 0
        async for chunk in response.content.iter_any():
            num_bytes += len(chunk)
            if num_bytes > self.options.max_response_bytes:
                raise BodyTooLarge(
                    f"{self.peer} answered more than max_response_bytes = "
                    f"{self.options.max_response_bytes}."
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _open_session(self) -> aiohttp.ClientSession:
        """Opened inside the event loop, on the first request."""
        options = self.options
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=options.max_connections,
                keepalive_timeout=options.keep_alive_s,
                ttl_dns_cache=DNS_CACHE_S,
            ),
            headers=self._fixed_headers(),
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=options.connect_timeout_s,
                sock_read=options.attempt_timeout_s,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    def _fixed_headers(self) -> dict[str, str]:
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if self.options.api_key is not None:
            headers["authorization"] = f"Bearer {self.options.api_key.get_secret_value()}"
        return headers

    def _context_headers(self, content: bytes | None) -> dict[str, str]:
        """The caller's trace and request id go on to the peer."""
        headers = {} if content is None else {"content-type": "application/json"}
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent
        if request_id := current_request_id():
            headers["x-request-id"] = request_id
        return headers

    def _unavailable(self, error: BaseException) -> Unavailable:
        """aiohttp's error in our words, with what to do about it."""
        reach = self.how_to_reach or (
            f"start it (`plaudit up {self.service}`), "
            f"or set PLAUDIT_{self.service.upper()}_URL to where it runs."
        )
        options = self.options
        match error:
            case aiohttp.ConnectionTimeoutError():
                what = f"no connection within connect_timeout_s = {options.connect_timeout_s:g}"
                return Unavailable(f"{self.peer}: {what}.", fix=reach)
            case aiohttp.ClientConnectorError():
                what = f"cannot be connected to: {reason_of(error.os_error)}"
                return Unavailable(f"{self.peer} {what}.", fix=reach)
            case aiohttp.SocketTimeoutError():
                what = f"silent for attempt_timeout_s = {options.attempt_timeout_s}"
                return Unavailable(f"{self.peer} was {what}.")
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
                return Unavailable(f"{self.peer} closed the connection without an answer.")
            case aiohttp.ClientPayloadError():
                return Unavailable(f"{self.peer} broke its answer off.")
        text = escape_control(str(error)[:200])
        return Unavailable(
            f"{self.peer} does not speak HTTP as expected: {type(error).__name__}: {text}"
        )


def _in_pieces(content: bytes | None) -> bytes | io.BytesIO | None:
    """aiohttp writes bytes in one go, and warns of those that hold the event loop up."""
    if content is None or len(content) <= LARGE_BODY_BYTES:
        return content
    return io.BytesIO(content)


def checked_url(url: str, service: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{service}_url = {redact_text(url)!r} is no URL.",
            fix="write it like http://127.0.0.1:8101.",
        )
    return url.rstrip("/")


def reason_of(error: OSError) -> str:
    """`Connection refused`, without asyncio's list of the addresses it tried."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)


def checked_key(key: str) -> str:
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise Rejected(
            f"idempotency_key = {key[:80]!r}: must be 1 to 256 printable ASCII characters."
        )
    return key
