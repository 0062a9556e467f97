"""File contents between base64 on the wire and our own form of them."""

import base64
import binascii

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Binary, FileContent


def from_base64(name: str, text: str) -> FileContent:
    """Raises Rejected, naming the file, when it is no base64."""
    try:
        return from_bytes(base64.b64decode(text, validate=True))
    except binascii.Error:
        raise Rejected(f"files: {name[:80]!r} is not encoded in base64.") from None


def from_bytes(data: bytes) -> FileContent:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Binary(base64=base64.b64encode(data).decode())


def to_base64(content: FileContent) -> str:
    if isinstance(content, Binary):
        return content.base64
    return base64.b64encode(content.encode()).decode()
