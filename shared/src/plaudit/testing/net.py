"""Ports for servers that a test starts."""

import random
import socket
from contextlib import ExitStack, suppress

FIRST, LAST = 20_000, 32_767
"""Below those that the system gives to connections: one of them could take a port that was free."""
_MAX_DRAWS = 1000
_draw = random.SystemRandom()  # hypothesis seeds the other one alike in all processes


def free_port() -> int:
    """A loopback port that nothing uses now. Prefer port 0 where the code allows it."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ones. Raises OSError when too few are left."""
    with ExitStack() as stack:
        return [_held_port(stack) for _ in range(count)]


def _held_port(stack: ExitStack) -> int:
    for _ in range(_MAX_DRAWS):
        probe = stack.enter_context(socket.socket())
        port = _draw.randint(FIRST, LAST)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port from {FIRST} to {LAST} in {_MAX_DRAWS} draws")
