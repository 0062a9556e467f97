"""Who may call: bearer keys, compared in constant time; without keys, only this machine."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from plaudit.errors import Rejected, Unauthorized

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
LOOPBACK_NAMES = frozenset({b"localhost", b"127.0.0.1", b"[::1]", b"::1"})


class WrongHost(Rejected):
    status = 421


class BearerAuth:
    """Holds digests, never the keys themselves."""

    def __init__(self, keys: Sequence[SecretStr], named: Mapping[str, SecretStr]) -> None:
        all_keys = [*((None, key) for key in keys), *named.items()]
        self._digests = [(name, digest(key.get_secret_value().encode())) for name, key in all_keys]

    def check(self, authorization: bytes | None) -> str | None:
        """The named key's name, None for a plain one.

        Raises:
            Unauthorized: no key, or a wrong one. Every key is compared, whichever matches.
        """
        if not self._digests:
            return None
        scheme, _, token = (authorization or b"").partition(b" ")
        given = digest(token.strip())
        matches = [name for name, known in self._digests if hmac.compare_digest(given, known)]
        if scheme.lower() == b"bearer" and matches:
            return matches[0]
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
