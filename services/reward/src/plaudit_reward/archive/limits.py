"""How much archives may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ArchiveLimits:
    max_entries: int
    """Of one archive."""
    max_bytes: int
    """Of one archive in Redis."""
    max_archives: int
    ttl_s: float
    """Since the last entry was added."""
