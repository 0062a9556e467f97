"""The most that a request in any dialect may ask for: what our own contract allows."""

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Limits

MAX = Limits(wall_s=60.0, cpu_s=60.0, memory_bytes=4 * 2**30, output_bytes=4 * 2**20)
UNLIMITED_MEMORY_BYTES = 2**30
"""What a program gets whose caller asks for no limit (verl's own default)."""
_MIN_MEMORY_BYTES = 16 * 2**20


def at_most(name: str, asked: float, maximum: float) -> float:
    """Raises Rejected, naming the field, when it is more than the maximum."""
    if asked > maximum:
        raise Rejected(f"{name} cannot exceed the limit of {maximum:g}; it is {asked:g}.")
    return asked


def memory_limit_bytes(name: str, asked: int, unit_bytes: int = 1) -> int:
    """The limit in bytes; 0 or less is "no limit".

    Raises:
        Rejected: more than may be asked for, naming the field.
    """
    if asked <= 0:
        return UNLIMITED_MEMORY_BYTES
    at_most(name, asked, MAX.memory_bytes // unit_bytes)
    return max(asked * unit_bytes, _MIN_MEMORY_BYTES)
