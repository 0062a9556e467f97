"""Published policy versions: immutable, checksummed directories; a number is never used twice.

policies/versions.jsonl has a line for every number ever taken, written before its directory is.
policies/v000012/ holds model.safetensors, config.json and, written last, manifest.json. Where
versions are adapters, it holds those, and policies/base/ the whole weights beneath them all.
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
ADAPTER_WEIGHTS_NAME = "adapter_model.safetensors"
ADAPTER_CONFIG_NAME = "adapter_config.json"
BASE_NAME = "base"
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
        self,
        step: int,
        weights: Mapping[str, "torch.Tensor"],
        config: dict[str, Any],
        probe: Probe,
        base: PolicyAnnouncement | None = None,
    ) -> PolicyAnnouncement:
        """Write the next version; with `base` it is an adapter to that.

        Raises ConfigError when the disk refuses, leaving nothing.
        """
        record = VersionRecord(version=self.next_version, step=step)
        path = self.path(record.version)
        with disk.writing(f"policy version {record.version}", self._directory):
            disk.append_line(self._directory / VERSIONS_NAME, record.model_dump_json())
            self.steps[record.version] = step
            with disk.new_directory(path) as directory:
                files = _write_files(directory, weights, config, is_adapter=base is not None)
                self._write_manifest(directory, record, files, probe, base)
        return self._announcement(record.version, path)

    def put_base(
        self, weights: Mapping[str, "torch.Tensor"], config: dict[str, Any], probe: Probe
    ) -> PolicyAnnouncement:
        """The whole weights beneath the adapters of this run, written once.

        Raises ConfigError when the disk refuses, leaving nothing.
        """
        path = self._directory / BASE_NAME
        if not path.is_dir():
            record = VersionRecord(version=0, step=0)
            what = "the base of all policy versions"
            with disk.writing(what, self._directory), disk.new_directory(path) as directory:
                files = _write_files(directory, weights, config, is_adapter=False)
                self._write_manifest(directory, record, files, probe, None)
        return self._announcement(0, path)

    def _announcement(self, version: int, path: Path) -> PolicyAnnouncement:
        return PolicyAnnouncement(
            run_id=self._run_id,
            version=version,
            path=str(path.resolve()),
            manifest_sha256=_describe(path / MANIFEST_NAME).sha256,
        )

    def _write_manifest(
        self,
        directory: Path,
        record: VersionRecord,
        files: dict[str, PolicyFile],
        probe: Probe,
        base: PolicyAnnouncement | None,
    ) -> None:
        manifest = PolicyManifest(
            run_id=self._run_id,
            version=record.version,
            step=record.step,
            files=files,
            probe=probe,
            base=base,
        )
        (directory / MANIFEST_NAME).write_text(manifest.model_dump_json())

    def remove_old(self) -> None:
        """Keep the newest ones, and whatever is younger than a minute."""
        present = sorted(self._directory.glob("v[0-9]*"))
        for path in present[: -self._keep]:
            if time.time() - path.stat().st_mtime > MIN_AGE_S:
                shutil.rmtree(path)


def _write_files(
    directory: Path,
    weights: Mapping[str, "torch.Tensor"],
    config: dict[str, Any],
    *,
    is_adapter: bool,
) -> dict[str, PolicyFile]:
    from safetensors.torch import save_file

    weights_name = ADAPTER_WEIGHTS_NAME if is_adapter else WEIGHTS_NAME
    config_name = ADAPTER_CONFIG_NAME if is_adapter else CONFIG_NAME
    save_file(dict(weights), directory / weights_name, metadata={"format": "pt"})
    (directory / config_name).write_text(json.dumps(config, indent=2))
    return {name: _describe(directory / name) for name in (weights_name, config_name)}


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
