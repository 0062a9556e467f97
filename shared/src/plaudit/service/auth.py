"""Who may call: bearer keys, compared in constant time; without keys, only this machine."""

import hashlib
import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from plaudit.errors import Rejected, Unauthorized

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
LOOPBACK_NAMES = frozenset({b"localhost", b"127.0.0.1", b"[::1]", b"::1"})


class WrongHost(Rejected):
    status = 421


class BearerAuth:
    """Holds digests, never the keys themselves."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._digests = [digest(key.get_secret_value().encode()) for key in keys]

    def check(self, authorization: bytes | None) -> None:
        """Raises Unauthorized. Every key is compared, whichever matches."""
        if not self._digests:
            return
        scheme, _, token = (authorization or b"").partition(b" ")
        given = digest(token.strip())
        matches = [hmac.compare_digest(given, known) for known in self._digests]
        if scheme.lower() == b"bearer" and any(matches):
            return
        what = "The API key is not valid." if authorization else "This service needs an API key."
        raise Unauthorized(
            what,
            fix="send `Authorization: Bearer KEY` with one of the service's keys "
            "(PLAUDIT_API_KEY for Plaudit's own clients).",
        )


def digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def check_loopback_host(host: bytes | None) -> None:
    """A web page that rebinds its own name to 127.0.0.1 must not reach a service without keys."""
    if host is None:
        return
    name = host if host.endswith(b"]") else host.rpartition(b":")[0] or host
    if name.lower() not in LOOPBACK_NAMES:
        raise WrongHost(
            "This service answers only to loopback names, because it has no API keys.",
            fix="call it as 127.0.0.1 or localhost, or set api_keys or allow_unauthenticated.",
        )
