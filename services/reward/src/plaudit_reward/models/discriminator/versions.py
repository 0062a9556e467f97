"""The versions of one discriminator: a directory each, written whole or not at all.

A version is made in a directory of another name, which is renamed when all of it is on the disk.
The kernel refuses to rename it to a version that is there, so that of two writers one gets v+1.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from pydantic import Field, ValidationError

from plaudit.errors import ConfigError, Corrupt, PlauditError, Unavailable
from plaudit.schemas.common import Contract
from plaudit.schemas.discriminator import DiscriminatorUpdated

MARKER = "version.json"
MAX_REMEMBERED = 64
"""Updates that are known again when they are sent again."""
STALE_S = 3600.0
"""What a writer that died has left is removed after so long."""
_WRITING = ".writing-"
_NAME = re.compile(r"v([0-9]{10})")


class Remembered(Contract):
    update_id: str
    answer: DiscriminatorUpdated


class Version(Contract):
    """The marker: written last, and not without the checksums of all other files."""

    version: int = Field(ge=0)
    base: str
    """`path` of the settings that it started from."""
    sha256: dict[str, str]
    updates: list[Remembered] = Field(default=[], max_length=MAX_REMEMBERED)

    def answer_to(self, update_id: str) -> DiscriminatorUpdated | None:
        found = (one.answer for one in self.updates if one.update_id == update_id)
        return next(found, None)

    def next(self, remembered: Remembered) -> "Version":
        """Without checksums: `publish` puts them in."""
        updates = [*self.updates, remembered][-MAX_REMEMBERED:]
        return Version(version=self.version + 1, base=self.base, sha256={}, updates=updates)


class Versions:
    """Every call may raise Unavailable: the directory cannot be read or written."""

    def __init__(self, directory: Path, keep: int) -> None:
        self.directory = directory
        self._keep = keep

    def newest(self) -> int | None:
        numbers = self._numbers()
        return numbers[-1] if numbers else None

    def path_of(self, version: int) -> Path:
        return self.directory / f"v{version:010d}"

    def read(self, version: int, base: str) -> Version:
        """Checked against its checksums. Raises Corrupt, or ConfigError: it is of another base."""
        path = self.path_of(version)
        try:
            found = Version.model_validate_json((path / MARKER).read_bytes())
            sums = {name: _sha256(path / name) for name in found.sha256}
        except (OSError, ValidationError) as error:
            raise self._corrupt(path, type(error).__name__) from error
        if found.base != base:
            raise ConfigError(
                f"directory = {str(self.directory)!r} has versions that started from "
                f"path = {found.base!r}, not {base!r}.",
                fix="name another directory, or the path that it started from",
            )
        if found.version != version or sums != found.sha256:
            raise self._corrupt(path, "its checksums differ")
        return found

    def publish(self, version: Version, write: Callable[[Path], None]) -> bool:
        """`write` puts files into a directory. False: another writer was first."""
        try:
            return self._publish(version, write)
        except OSError as error:
            raise Unavailable(
                f"directory = {str(self.directory)!r}: version {version.version} cannot be "
                f"written: {type(error).__name__}: {str(error)[:200]}",
                fix="give the workers the right to write there, and room",
            ) from error

    def _publish(self, version: Version, write: Callable[[Path], None]) -> bool:
        temporary = self.directory / f"{_WRITING}{uuid4().hex}"
        temporary.mkdir(parents=True)
        try:
            write(temporary)
            sums = {one.name: _sha256(one) for one in sorted(temporary.iterdir())}
            _sync_all(temporary)
            complete = version.model_copy(update={"sha256": sums})
            (temporary / MARKER).write_text(complete.model_dump_json())
            _sync_all(temporary)
            if not self._rename(temporary, version.version):
                return False
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._tidy()
        return True

    def _rename(self, temporary: Path, version: int) -> bool:
        """A writer that slept until its number was made and removed again is too late, too."""
        newest = self.newest()
        if version != (0 if newest is None else newest + 1):
            return False
        try:
            temporary.rename(self.path_of(version))
        except OSError:
            if self.path_of(version).exists():
                return False
            raise
        _sync(self.directory)
        return True

    def _tidy(self) -> None:
        for number in self._numbers()[: -self._keep]:
            shutil.rmtree(self.path_of(number), ignore_errors=True)
        for left in self.directory.glob(f"{_WRITING}*"):
            if time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left, ignore_errors=True)

    def _numbers(self) -> list[int]:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            names = os.listdir(self.directory)
        except OSError as error:
            raise Unavailable(
                f"directory = {str(self.directory)!r} cannot be read: {type(error).__name__}.",
                fix="make it, and let the workers read and write there",
            ) from error
        return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))

    def _corrupt(self, path: Path, why: str) -> PlauditError:
        if not path.exists():  # It has been removed meanwhile: there are newer ones.
            return Unavailable(f"{path} is gone.", retry_after_s=1.0)
        return Corrupt(
            f"{path} is not whole: {why}.", fix="remove it: the version before it is used then"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_all(directory: Path) -> None:
    for path in (*directory.iterdir(), directory):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
