"""Names of the files that a request brings."""

from pathlib import PurePosixPath

from plaudit.errors import Rejected

MAX_NAME_CHARS = 200
PROGRAM = "main.py"


def check_files(files: dict[str, str], max_files: int) -> None:
    """Raises Rejected, naming the file, unless each lies below the working directory."""
    if len(files) > max_files:
        raise Rejected(f"files: {len(files)} of them, at most {max_files} (max_files).")
    for name in files:
        path = PurePosixPath(name)
        parts = path.parts
        if not parts or path.is_absolute() or ".." in parts or "\0" in name or str(path) != name:
            raise Rejected(f"files: {name[:80]!r} is not a plain relative path.")
        if len(name) > MAX_NAME_CHARS:
            raise Rejected(f"files: {name[:80]!r}... is longer than {MAX_NAME_CHARS} characters.")
        if name == PROGRAM:
            raise Rejected(f"files: {PROGRAM} is the program itself.")
