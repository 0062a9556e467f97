"""Building once, finding again, and never leaving half a seed behind."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plaudit_trainer import cli
from plaudit_trainer.seed import SeedPaths, SeedSettings, build, build_seed
from plaudit_trainer.seed.cli import app


def checksum(paths: SeedPaths) -> str:
    files = sorted(path for path in paths.model_dir.parent.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(paths.model_dir.parent).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def refuse_to_build(*_: object) -> None:
    raise AssertionError("built although it was there")


def test_the_same_seed_gives_the_same_files(
    tmp_path: Path, quick_seed: SeedPaths, quick_settings: SeedSettings
) -> None:
    again = build_seed(tmp_path, settings=quick_settings)
    assert again.fingerprint == quick_seed.fingerprint
    assert checksum(again) == checksum(quick_seed)


def test_another_seed_gives_other_weights_and_data(
    tmp_path: Path, quick_seed: SeedPaths, quick_settings: SeedSettings
) -> None:
    other = build_seed(tmp_path, seed=1, settings=quick_settings)
    assert other.fingerprint != quick_seed.fingerprint
    assert other.train_path.read_text() != quick_seed.train_path.read_text()
    weights = "model.safetensors"
    assert (other.model_dir / weights).read_bytes() != (quick_seed.model_dir / weights).read_bytes()


def test_a_finished_seed_is_not_built_again(
    quick_cache: Path,
    quick_seed: SeedPaths,
    quick_settings: SeedSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "_build", refuse_to_build)
    assert build_seed(quick_cache, settings=quick_settings) == quick_seed
    with pytest.raises(AssertionError, match="built although"):
        build_seed(quick_cache, seed=1, settings=quick_settings)


def test_a_change_of_source_or_settings_changes_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in Path(build.__file__).parent.glob("*.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(build, "__file__", str(tmp_path / "build.py"))
    before = build.fingerprint(SeedSettings())
    (tmp_path / "greetings.py").write_text("# another task")
    assert build.fingerprint(SeedSettings()) != before
    assert build.fingerprint(SeedSettings(right_share=0.5)) != build.fingerprint(SeedSettings())


def test_an_interrupted_build_leaves_nothing_behind(
    tmp_path: Path, quick_settings: SeedSettings
) -> None:
    def interrupt(stage: str, fraction: float) -> None:
        if stage == "model" and fraction > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_seed(tmp_path, settings=quick_settings, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_of_two_builds_at_once_the_first_to_finish_is_kept(
    tmp_path: Path, quick_settings: SeedSettings
) -> None:
    """The second build starts and ends while the first one is on its way."""
    winners: list[tuple[SeedPaths, int]] = []

    def overtake(stage: str, fraction: float) -> None:
        if stage == "model" and fraction == 1.0:
            paths = build_seed(tmp_path, settings=quick_settings)
            winners.append((paths, paths.train_path.stat().st_ino))

    paths = build_seed(tmp_path, settings=quick_settings, progress=overtake)
    assert winners == [(paths, paths.train_path.stat().st_ino)]
    assert [path.name for path in tmp_path.iterdir()] == [f"seed-{paths.fingerprint}"]


def test_progress_names_the_stage_and_ends_at_one(
    tmp_path: Path, quick_settings: SeedSettings
) -> None:
    told: list[tuple[str, float]] = []
    build_seed(tmp_path, settings=quick_settings, progress=lambda *args: told.append(args))
    assert told[0] == ("data", 0.0)
    assert told[-1] == ("model", 1.0)
    assert [fraction for stage, fraction in told if stage == "model"] == sorted(
        fraction for stage, fraction in told if stage == "model"
    )


def test_the_command_prints_where_the_seed_lies(
    tmp_path: Path, quick_seed: SeedPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def build_quickly(cache_dir: Path, *, seed: int, task: str, progress: object) -> SeedPaths:
        assert (cache_dir, task) == (tmp_path, "demo")
        asked.append(seed)
        return quick_seed

    monkeypatch.setattr("plaudit_trainer.seed.cli.build_seed", build_quickly)
    result = CliRunner().invoke(app, ["--cache-dir", str(tmp_path), "--seed", "7"])
    assert result.exit_code == 0
    assert asked == [7]
    assert str(quick_seed.model_dir) in result.stdout


def test_the_trainers_command_prints_json_alone_whatever_a_build_says(
    tmp_path: Path, quick_seed: SeedPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_loudly(cache_dir: Path, *, seed: int, task: str) -> SeedPaths:
        print("[WARNING] as DeepSpeed has it, when it is imported")
        return quick_seed

    monkeypatch.setattr("plaudit_trainer.seed.build_seed", build_loudly)
    result = CliRunner().invoke(cli.app, ["seed", "--cache-dir", str(tmp_path)])
    assert json.loads(result.stdout)["model_dir"] == str(quick_seed.model_dir)


def test_importing_the_seed_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import json, sys, plaudit_trainer.seed, plaudit_trainer.seed.cli;"
        "print(json.dumps([name for name in ('torch', 'transformers') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
