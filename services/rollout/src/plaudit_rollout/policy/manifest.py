"""Verifying a published version before an engine touches it."""

import hashlib
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from plaudit.errors import Corrupt
from plaudit.schemas.policy import MANIFEST_NAME, PolicyAnnouncement, PolicyFile, PolicyManifest

MAX_MANIFEST_BYTES = 16 * 2**20
_ALLOWED_SUFFIXES = frozenset({".safetensors", ".json", ".jinja", ".txt", ".model"})
"""Nothing that is unpickled: loading such a file would run its author's code."""


def verify(announcement: PolicyAnnouncement, root: Path | None) -> PolicyManifest:
    """Reads every byte of the version; call it in a thread.

    Raises:
        Corrupt: half-written, changed, not the announced version, or outside of `root`.
    """
    directory = _directory(announcement, root)
    manifest = _manifest(announcement, directory)
    _check_nothing_else(directory, manifest)
    for name, file in manifest.files.items():
        _check_file(directory, name, file)
    if not any(name.endswith(".safetensors") for name in manifest.files):
        raise Corrupt(f"{directory} lists no .safetensors file.")
    return manifest


def _directory(announcement: PolicyAnnouncement, root: Path | None) -> Path:
    directory = Path(announcement.path)
    if not directory.is_absolute():
        raise Corrupt(f"the path {announcement.path[:200]!r} is not absolute.")
    resolved = directory.resolve()
    if root is not None and not resolved.is_relative_to(root.resolve()):
        raise Corrupt(f"{resolved} is not below policy_root = {root}.")
    if not resolved.is_dir():
        raise Corrupt(
            f"{resolved} is no directory.",
            fix="make the published versions readable under the same path on every worker",
        )
    return resolved


def _manifest(announcement: PolicyAnnouncement, directory: Path) -> PolicyManifest:
    path = directory / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_MANIFEST_BYTES + 1)
    except FileNotFoundError:
        raise Corrupt(f"{directory} is half-written: there is no {MANIFEST_NAME}.") from None
    except OSError as error:
        raise Corrupt(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > MAX_MANIFEST_BYTES:
        raise Corrupt(f"{path} has more than {MAX_MANIFEST_BYTES} bytes.")
    if hashlib.sha256(raw).hexdigest() != announcement.manifest_sha256:
        raise Corrupt(f"{path} is not the manifest that was announced (sha256).")
    try:
        manifest = PolicyManifest.model_validate_json(raw)
    except ValidationError as error:
        raise Corrupt(f"{path} is no manifest: {error.error_count()} wrong fields.") from None
    if (manifest.run_id, manifest.version) != (announcement.run_id, announcement.version):
        raise Corrupt(
            f"{path} is of run {manifest.run_id[:80]!r} version {manifest.version}, "
            f"not {announcement.run_id[:80]!r} version {announcement.version}."
        )
    return manifest


def _check_nothing_else(directory: Path, manifest: PolicyManifest) -> None:
    """The engine loads whatever weights it finds, so there must be none that nobody checked."""
    found = {path.name for path in directory.iterdir()}
    extra = found - {PurePosixPath(name).parts[0] for name in manifest.files} - {MANIFEST_NAME}
    if extra:
        raise Corrupt(f"{directory} has files that its manifest does not list: {sorted(extra)[:5]}")


def _check_file(directory: Path, name: str, file: PolicyFile) -> None:
    """Raises Corrupt unless the file has exactly the bytes that were published."""
    path = directory / name
    parts = PurePosixPath(name).parts
    if len(parts) != 1 or parts[0] in ("..", "/") or path.resolve() != path:
        raise Corrupt(f"{directory}: the file name {name[:200]!r} leads out of the directory.")
    if path.suffix not in _ALLOWED_SUFFIXES:
        raise Corrupt(f"{path} is of a kind that is not loaded.", fix="publish safetensors")
    try:
        with path.open("rb") as opened:
            num_bytes = path.stat().st_size
            if num_bytes != file.num_bytes:
                raise Corrupt(f"{path} has {num_bytes} bytes, not {file.num_bytes}.")
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise Corrupt(f"{path} cannot be read: {error.strerror}.") from error
    if digest != file.sha256:
        raise Corrupt(f"{path} does not match its sha256.")
