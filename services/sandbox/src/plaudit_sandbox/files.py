"""Paths of the files that a request brings, and of those that it wants back."""

from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import RunRequest
from plaudit_sandbox.languages import BUILD

MAX_NAME_BYTES = 240
MAX_DEPTH = 16


def check_files(request: RunRequest, source: str, max_files: int) -> None:
    """Raises Rejected, naming the file, unless each lies below the working directory."""
    _check(request.files_out, "files_out", max_files)
    for case in [None, *request.cases]:
        files = request.files if case is None else request.files | case.files
        _check(files, "files", max_files)
        _check_apart(files, source)


def _check(names: Collection[str], what: str, max_files: int) -> None:
    if len(names) > max_files:
        raise Rejected(f"{what}: {len(names)} of them, at most {max_files} (max_files).")
    for name in names:
        path = PurePosixPath(name)
        parts = path.parts
        if not parts or path.is_absolute() or ".." in parts or "\0" in name or str(path) != name:
            raise Rejected(f"{what}: {name[:80]!r} is not a plain relative path.")
        if len(name.encode()) > MAX_NAME_BYTES or len(parts) > MAX_DEPTH:
            raise Rejected(
                f"{what}: {name[:80]!r} is longer than {MAX_NAME_BYTES} bytes "
                f"or deeper than {MAX_DEPTH} directories."
            )


def _check_apart(files: Iterable[str], source: str) -> None:
    names = {*files, source, BUILD}
    for name in files:
        if name in (source, BUILD):
            raise Rejected(f"files: {name} is the program's own.")
        for parent in PurePosixPath(name).parents:
            if str(parent) in names:
                raise Rejected(f"files: {name[:80]!r} lies in {str(parent)!r}, which is a file.")
