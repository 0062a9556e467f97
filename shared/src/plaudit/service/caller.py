"""Who calls: the name of the key that a request came with, never the key."""

from fastapi import Request

from plaudit.service.gate import GATE, Gate


def caller_of(request: Request) -> str | None:
    """The named key's name; None for a plain key, and where a service has no keys."""
    gate = _gate_of(request)
    return None if gate is None else gate.name


def check_scope(request: Request, scope: str) -> None:
    """For what the path does not tell. Raises Forbidden."""
    gate = _gate_of(request)
    if gate is not None:
        gate.check_scope(scope)


def _gate_of(request: Request) -> Gate | None:
    gate: Gate | None = request.scope.get(GATE)
    return gate
