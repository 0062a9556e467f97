"""The files of a run hold whole records, whatever the disk and the power do."""

import pytest

from plaudit.errors import ConfigError
from plaudit_trainer.run_dir import RunDir


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "recipe.toml").touch()
    return RunDir(tmp_path)


def test_a_directory_without_a_recipe_is_no_run(tmp_path):
    with pytest.raises(ConfigError, match=r"no recipe\.toml there"):
        RunDir(tmp_path / "nowhere")


def test_records_are_appended_and_read_back(run_dir):
    run_dir.append_jsonl("a.jsonl", [{"n": 1}, {"n": 2}])
    run_dir.append_jsonl("a.jsonl", [])
    run_dir.append_jsonl("a.jsonl", [{"n": 3}])
    assert [record["n"] for record in run_dir.read_jsonl("a.jsonl")] == [1, 2, 3]
    assert list(run_dir.read_jsonl("nothing.jsonl")) == []


def test_a_line_that_a_crash_cut_short_spoils_neither_the_next_one_nor_the_reading(run_dir):
    (run_dir.path / "a.jsonl").write_bytes('{"n": 1}\n{"n": 2, "text": "ü'.encode()[:-1])
    assert [record["n"] for record in run_dir.read_jsonl("a.jsonl")] == [1]
    run_dir.append_jsonl("a.jsonl", [{"n": 3}])
    assert [record["n"] for record in run_dir.read_jsonl("a.jsonl")] == [1, 3]


def test_a_full_disk_is_named_with_the_file(run_dir):
    (run_dir.path / "groups.jsonl").symlink_to("/dev/full")
    with pytest.raises(ConfigError, match=r"--run-dir: groups\.jsonl cannot be written.*disk is"):
        run_dir.append_jsonl("groups.jsonl", [{"n": 1}])


def test_a_file_that_cannot_be_written_whole_is_left_as_it_was(run_dir, monkeypatch):
    run_dir.write_json("summary.json", {"old": True})
    monkeypatch.setattr("os.getpid", lambda: "full")
    (run_dir.path / "summary.full.tmp").symlink_to("/dev/full")
    with pytest.raises(ConfigError, match=r"summary\.json cannot be written"):
        run_dir.write_json("summary.json", {"new": True})
    assert run_dir.read_json("summary.json") == {"old": True}
    assert not (run_dir.path / "summary.full.tmp").exists()
