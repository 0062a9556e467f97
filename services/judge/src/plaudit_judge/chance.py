"""Chance that is a function of its seed: the same request is judged the same way anywhere."""

import hashlib


def draw(*parts: int | str) -> int:
    """64 uniform bits that depend on `parts` alone."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        encoded = str(part).encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8))
        digest.update(encoded)
    return int.from_bytes(digest.digest())
