"""Plain data as JSON that keeps its types: all that tests and candidate tell each other.

What is decoded has exactly a built-in type, so no method of the candidate's comes with it.
"""

import json
from typing import Any

_COLLECTIONS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


class NotPlain(TypeError):
    """A value that is not made of built-in data types."""


def encode(value: object) -> object:
    """Raises NotPlain. Values of a subclass become values of the built-in type."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return ["int", hex(value)]
        case float():
            return ["float", value.hex()]
        case complex():
            return ["complex", value.real.hex(), value.imag.hex()]
        case bytes():
            return ["bytes", value.hex()]
        case list() | tuple():
            kind = "list" if isinstance(value, list) else "tuple"
            return [kind, *map(encode, value)]
        case set() | frozenset():
            kind = "set" if isinstance(value, set) else "frozenset"
            # In an order that does not depend on the process.
            return [kind, *sorted(map(encode, value), key=json.dumps)]
        case dict():
            return ["dict", *([encode(key), encode(one)] for key, one in value.items())]
    raise NotPlain(f"{type(value).__name__} is no plain data")


def decode(value: Any) -> Any:
    """The value itself. Raises an ordinary exception for what `encode` does not give."""
    if value is None or isinstance(value, bool | str):
        return value
    kind, *items = value
    match kind:
        case "int":
            return int(items[0], 16)
        case "float":
            return float.fromhex(items[0])
        case "complex":
            return complex(float.fromhex(items[0]), float.fromhex(items[1]))
        case "bytes":
            return bytes.fromhex(items[0])
        case "dict":
            return {decode(key): decode(one) for key, one in items}
    if kind not in _COLLECTIONS:
        raise ValueError(f"{kind!r} is no plain data")
    return _COLLECTIONS[kind](map(decode, items))
