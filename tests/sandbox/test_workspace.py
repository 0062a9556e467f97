"""A killed service's directory goes with the next one's start; one in use stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plaudit_sandbox.workspace import PREFIX, Workspace, remove_leftovers

HOLD = """
from plaudit_sandbox.workspace import Workspace
space = Workspace()
open(space.path + "/left", "w").close()
print(space.path, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def holder(directory: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={"TMPDIR": str(directory)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_directory_stays_while_its_process_lives_and_goes_once_it_is_killed(
    temporary: Path,
) -> None:
    process, path = holder(temporary)
    with process:
        remove_leftovers(min_age_s=0.0)
        assert (path / "left").exists()
        process.kill()
    remove_leftovers(min_age_s=60.0)
    assert path.exists()
    remove_leftovers(min_age_s=0.0)
    assert not path.exists()


def test_no_depth_is_too_deep(temporary: Path) -> None:
    path = temporary / f"{PREFIX}deep"
    path.mkdir()
    here = os.open(path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove_leftovers(min_age_s=0.0)
    assert not path.exists()


def test_a_link_of_that_name_is_not_followed(temporary: Path) -> None:
    target = temporary / "target"
    target.mkdir()
    (temporary / f"{PREFIX}link").symlink_to(target)
    (temporary / f"{PREFIX}file").write_text("")
    remove_leftovers(min_age_s=0.0)
    assert target.is_dir()


def test_ones_own_is_removed_at_the_end(temporary: Path) -> None:
    space = Workspace()
    (Path(space.path) / "a").write_text("")
    space.remove()
    space.remove()
    assert list(temporary.iterdir()) == []
