"""The directory of a pipeline: pipeline.toml, pipeline.json, and one run for each stage."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit.local.run_dir import PIPELINE_RECORD, check_new, whole_directory
from plaudit.pipeline.file import dump_pipeline, read_pipeline
from plaudit.pipeline.references import Place, places_in
from plaudit.schemas.pipeline import PipelineFile, PipelineSummary, StageResult

_FILE = "pipeline.toml"


@dataclass
class PipelineDir:
    """`summary` is what pipeline.json says; `update` changes both."""

    path: Path
    file: PipelineFile
    summary: PipelineSummary

    @property
    def log_dir(self) -> Path:
        return self.path / "logs"

    @property
    def place(self) -> Place:
        return places_in(self.path)

    def update(self, name: str, **changes: Any) -> None:
        """Of one stage; on disk at once, whole or not at all."""
        stages = [
            one.model_copy(update=changes) if one.name == name else one
            for one in self.summary.stages
        ]
        self.summary = self.summary.model_copy(update={"stages": stages})
        _write(self.path / PIPELINE_RECORD, self.summary)


def create_pipeline_dir(path: Path, file: PipelineFile) -> PipelineDir:
    """Raises ConfigError when `path` exists or cannot be written."""
    check_new(path)
    path = path.absolute()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    stages = [StageResult(name=stage.name, kind=stage.kind) for stage in file.stages]
    summary = PipelineSummary(name=file.name, pipeline_id=path.name, created_at=now, stages=stages)
    with whole_directory(path) as half:
        (half / _FILE).write_text(dump_pipeline(file), encoding="utf-8")
        _write(half / PIPELINE_RECORD, summary)
    return PipelineDir(path, file, summary)


def open_pipeline_dir(name: str, runs_dir: Path) -> PipelineDir:
    """By its directory or by its name in `runs_dir`. Raises ConfigError when it is none."""
    for path in (Path(name), runs_dir / name):
        if (path / _FILE).is_file() and (path / PIPELINE_RECORD).is_file():
            file = read_pipeline(path / _FILE)
            return PipelineDir(path.resolve(), file, _summary(path / PIPELINE_RECORD, file))
    raise ConfigError(
        f"{name!r} is not a pipeline's directory: neither {Path(name).absolute()} nor "
        f"{runs_dir / name} has a {_FILE} and a {PIPELINE_RECORD}.",
        fix="give the directory that `plaudit pipeline` printed",
    )


def _summary(path: Path, file: PipelineFile) -> PipelineSummary:
    """With a result for each stage of the file, which may have been edited meanwhile."""
    try:
        found = PipelineSummary.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(f"{path} is damaged: {error}.", fix="start the pipeline anew") from error
    known = {one.name: one for one in found.stages}
    stages = [
        known.get(stage.name) or StageResult(name=stage.name, kind=stage.kind)
        for stage in file.stages
    ]
    return found.model_copy(update={"stages": stages})


def _write(path: Path, summary: PipelineSummary) -> None:
    half = path.with_suffix(f".{os.getpid()}.tmp")
    half.write_text(json.dumps(summary.model_dump(), indent=2), encoding="utf-8")
    half.replace(path)
