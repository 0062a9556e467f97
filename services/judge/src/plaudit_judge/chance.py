"""Chance that is a function of its seed: the same request is judged the same way anywhere."""

import hashlib


def draw(*parts: int | str) -> int:
    """64 uniform bits that depend on `parts` alone."""
    bits = hashlib.blake2b(digest_size=8)
    for part in parts:
        encoded = str(part).encode(errors="surrogatepass")
        bits.update(len(encoded).to_bytes(8))
        bits.update(encoded)
    return int.from_bytes(bits.digest())


def digest(*texts: str) -> str:
    """SHA-256 of `texts`, each after its length in bytes, so that no two lists are one."""
    found = hashlib.sha256()
    for text in texts:
        encoded = text.encode(errors="surrogatepass")
        found.update(len(encoded).to_bytes(8))
        found.update(encoded)
    return found.hexdigest()
