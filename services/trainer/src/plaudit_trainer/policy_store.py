"""Published policy versions: immutable, checksummed directories; a number is never used twice.

policies/versions.jsonl has a line for every number ever taken, written before its directory is.
policies/v000012/ holds model.safetensors, config.json and, written last, manifest.json.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from plaudit.schemas.common import Contract
from plaudit.schemas.policy import (
    MANIFEST_NAME,
    PolicyAnnouncement,
    PolicyFile,
    PolicyManifest,
    Probe,
)
from plaudit_trainer.learner import disk

if TYPE_CHECKING:
    import torch

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
VERSIONS_NAME = "versions.jsonl"
MIN_KEPT = 4
MIN_AGE_S = 60.0
"""A replica may be loading a version: so many and so young ones are never removed."""


class VersionRecord(Contract):
    version: int
    step: int


class PolicyStore:
    """The versions of one run. Only the learner writes here."""

    def __init__(self, directory: Path, run_id: str, *, keep: int) -> None:
        self._directory = directory
        self._run_id = run_id
        self._keep = max(keep, MIN_KEPT)
        directory.mkdir(parents=True, exist_ok=True)
        disk.remove_leftovers(directory)
        self.steps: dict[int, int] = {r.version: r.step for r in _read(directory / VERSIONS_NAME)}
        """Learner step by version, of every version ever published."""

    @property
    def newest(self) -> int | None:
        return max(self.steps, default=None)

    @property
    def next_version(self) -> int:
        return max(self.steps, default=-1) + 1

    def path(self, version: int) -> Path:
        return self._directory / f"v{version:06d}"

    def publish(
        self, step: int, weights: Mapping[str, "torch.Tensor"], config: dict[str, Any], probe: Probe
    ) -> PolicyAnnouncement:
        """Write the next version. Raises ConfigError when the disk refuses, leaving nothing."""
        version = self.next_version
        with disk.writing(f"policy version {version}", self._directory):
            record = VersionRecord(version=version, step=step)
            disk.append_line(self._directory / VERSIONS_NAME, record.model_dump_json())
            self.steps[version] = step
            with disk.new_directory(self.path(version)) as directory:
                manifest = self._write(directory, record, weights, config, probe)
        return PolicyAnnouncement(
            run_id=self._run_id,
            version=version,
            path=str(self.path(version).resolve()),
            manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        )

    def _write(
        self,
        directory: Path,
        record: VersionRecord,
        weights: Mapping[str, "torch.Tensor"],
        config: dict[str, Any],
        probe: Probe,
    ) -> bytes:
        from safetensors.torch import save_file

        save_file(dict(weights), directory / WEIGHTS_NAME, metadata={"format": "pt"})
        (directory / CONFIG_NAME).write_text(json.dumps(config, indent=2))
        manifest = PolicyManifest(
            run_id=self._run_id,
            version=record.version,
            step=record.step,
            files={name: _describe(directory / name) for name in (WEIGHTS_NAME, CONFIG_NAME)},
            probe=probe,
        )
        raw = manifest.model_dump_json().encode()
        (directory / MANIFEST_NAME).write_bytes(raw)
        return raw

    def remove_old(self) -> None:
        """Keep the newest ones, and whatever is younger than a minute."""
        present = sorted(self._directory.glob("v[0-9]*"))
        for path in present[: -self._keep]:
            if time.time() - path.stat().st_mtime > MIN_AGE_S:
                shutil.rmtree(path)


def _describe(path: Path) -> PolicyFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return PolicyFile(sha256=digest, num_bytes=path.stat().st_size)


def _read(path: Path) -> list[VersionRecord]:
    """A line that a crash cut short named a version that was never written."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(VersionRecord.model_validate_json(line))
        except ValidationError:
            continue
    return records
