"""What processes write: split into bounded lines, kept in rotated files, shown with a prefix."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_LINE_BYTES = 16 * 2**10
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Log lines hold hostile text: no escape sequence of theirs may reach the terminal."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


class LineSplitter:
    """Cuts a byte stream into lines; what a line has beyond `MAX_LINE_BYTES` is left out."""

    def __init__(self) -> None:
        self._pending = b""
        self._cut_bytes = 0

    def feed(self, data: bytes) -> Iterator[str]:
        *complete, rest = data.split(b"\n")
        for part in complete:
            self._append(part)
            yield self._take()
        self._append(rest)

    def flush(self) -> Iterator[str]:
        """The last line when the stream ends without a newline."""
        if self._pending:
            yield self._take()

    def _append(self, part: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._pending)
        self._pending += part[:room]
        self._cut_bytes += len(part[room:])

    def _take(self) -> str:
        # A progress bar redraws itself with carriage returns: only its last state is worth a line.
        line = self._pending.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
        if self._cut_bytes:
            line += f" [... {self._cut_bytes} bytes cut]"
        self._pending, self._cut_bytes = b"", 0
        return line


class RotatingLog:
    """Appends lines to `path`, keeping at most `num_backups` older files of `max_bytes` each.

    A full disk must not take the supervisor down: a line that cannot be written is counted in
    `num_lost` and the write is tried again with the next one.
    """

    def __init__(self, path: Path, *, max_bytes: int = 16 * 2**20, num_backups: int = 2) -> None:
        self.path = path
        self.num_lost = 0
        self._max_bytes = max_bytes
        self._num_backups = num_backups
        self._file: BinaryIO | None = None

    def write(self, line: str) -> None:
        data = line.encode("utf-8", "replace") + b"\n"
        try:
            file = self._open()
            if file.tell() and file.tell() + len(data) > self._max_bytes:
                self.close()
                self._rotate()
                file = self._open()
            file.write(data)
        except OSError:
            self.num_lost += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
        return self._file

    def _rotate(self) -> None:
        for index in range(self._num_backups, 0, -1):
            older = self._backup(index - 1) if index > 1 else self.path
            if older.exists():
                older.replace(self._backup(index))

    def _backup(self, index: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{index}")
