"""Files into the working directory, and out of it again after the program has ended.

On the way in the directory is new, so no link can mislead. On the way out everything in it is the
program's doing: no link is followed, nothing but regular files is read, and the sum is bounded.
"""

import base64
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from plaudit_sandbox.launcher.job import Content

MAX_BUILD_FILES = 512
_CHUNK_BYTES = 2**20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK a pipe would hold the monitor up.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotReturned(Exception):
    """Why a file is not given back."""


def write_files(directory: str, files: dict[str, Content]) -> None:
    """The API has refused absolute paths and `..`."""
    for name, content in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o700)
        with open(handle, "wb") as file:
            file.write(_bytes(content))


def read_files(
    directory: str, names: list[str], max_bytes: int
) -> tuple[dict[str, Content], dict[str, str]]:
    """The named files, together at most `max_bytes`; the second part says why one is missing."""
    found: dict[str, Content] = {}
    missing: dict[str, str] = {}
    left_bytes = max_bytes
    for name in dict.fromkeys(names):
        try:
            data = _read(directory, name, left_bytes)
        except FileNotFoundError:
            missing[name] = "there is no such file"
        except NotReturned as reason:
            missing[name] = str(reason)
        except OSError as error:
            # ELOOP is a link, ENOTDIR a file or a link in the middle of the path.
            missing[name] = f"it cannot be read: {error.strerror}"
        else:
            left_bytes -= len(data)
            found[name] = _content(data)
    return found, missing


def read_tree(directory: str, top: str, max_bytes: int) -> dict[str, Content]:
    """Every regular file below `top`. Raises NotReturned when there is too much of it."""
    names: list[str] = []
    for parent, _, files in os.walk(os.path.join(directory, top)):
        names += (os.path.relpath(os.path.join(parent, name), directory) for name in files)
        if len(names) > MAX_BUILD_FILES:
            raise NotReturned(f"the compiler made more than {MAX_BUILD_FILES} files")
    found, missing = read_files(directory, names, max_bytes)
    for name, reason in missing.items():
        raise NotReturned(f"{name}: {reason}")
    return found


def _read(directory: str, name: str, max_bytes: int) -> bytes:
    with _opened(directory, name) as handle:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotReturned("it is no regular file")
        data = bytearray()
        while chunk := os.read(handle, _CHUNK_BYTES):
            data += chunk
            if len(data) > max_bytes:
                raise NotReturned(f"it is larger than the {max_bytes} bytes that are left")
    return bytes(data)


@contextmanager
def _opened(directory: str, name: str) -> Iterator[int]:
    """Component by component, so that no link leads elsewhere."""
    *parents, last = name.split("/")
    handle = os.open(directory, _DIRECTORY)
    try:
        for flags, part in [*((_DIRECTORY, part) for part in parents), (_FILE, last)]:
            inner = os.open(part, flags, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _bytes(content: Content) -> bytes:
    if isinstance(content, str):
        return content.encode("utf-8", errors="surrogatepass")
    return base64.b64decode(content["base64"])


def _content(data: bytes) -> Content:
    with suppress(UnicodeDecodeError):
        return data.decode()
    return {"base64": base64.b64encode(data).decode()}
