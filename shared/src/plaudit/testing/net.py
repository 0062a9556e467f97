"""Ports."""

import socket


def free_port() -> int:
    """A loopback port that nobody listens on now. Prefer port 0 where the code allows it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
