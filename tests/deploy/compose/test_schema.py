"""The compose files under the current Compose specification, and as this machine's Compose reads
them."""

import sys
from pathlib import Path

from .command import ROOT, run

FILES = [ROOT / "deploy" / "compose" / name for name in ("compose.yaml", "compose.gpu.yaml")]


def test_the_files_are_valid_under_the_current_specification(docker: None, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    run(tmp_path / "venv" / "bin" / "pip", "install", "-q", "check-jsonschema==0.39.0")
    check = tmp_path / "venv" / "bin" / "check-jsonschema"
    run(check, "--builtin-schema", "vendor.compose-spec", *FILES)


def test_this_compose_reads_them_alone_and_on_top_of_each_other(docker: None) -> None:
    run("docker-compose", "-f", FILES[0], "config", "-q")
    run("docker-compose", "-f", FILES[0], "-f", FILES[1], "config", "-q")
