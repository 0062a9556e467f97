"""Checkpoints: complete or absent."""

from pathlib import Path

import pytest
import torch

from plaudit.errors import ConfigError
from plaudit_trainer.learner.checkpoint import CheckpointRecord, CheckpointStore


def record(step: int, value: float | None = None) -> CheckpointRecord:
    return CheckpointRecord(run_id="r", step=step, newest_version=step, value=value)


def save_tensor(directory: str) -> str:
    path = Path(directory) / "checkpoint-x"
    path.mkdir(parents=True)
    torch.save(torch.zeros(10_000), path / "optimizer.pt")
    return str(path)


def nothing() -> None:
    pass


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path, keep=2)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_newest_complete_one_is_found(store):
    for step in (0, 10, 5):
        store.write(record(step), save_tensor, nothing)
    assert store.newest() == record(10)


def test_only_as_many_as_asked_for_are_kept(store, tmp_path):
    for step in (0, 5, 10):
        store.write(record(step), save_tensor, nothing)
    assert names(tmp_path) == ["step-000005", "step-000010"]


def test_the_best_one_is_kept_besides_the_newest_and_linked(store, tmp_path):
    for step, value in enumerate([None, 0.5, 0.9, 0.9, 0.1, 0.2, 0.3]):
        store.write(record(step, value), save_tensor, nothing)
    assert store.best() == record(3, 0.9), "of equals the newest"
    assert names(tmp_path) == ["best", "step-000003", "step-000005", "step-000006"]
    assert (tmp_path / "best").resolve() == tmp_path / "step-000003"
    store.write(record(7, 1.0), save_tensor, nothing)
    assert names(tmp_path) == ["best", "step-000006", "step-000007"]
    assert (tmp_path / "best").resolve() == tmp_path / "step-000007"


def test_the_best_may_be_the_lowest(tmp_path):
    store = CheckpointStore(tmp_path, keep=1, best_is="lowest")
    for step, value in enumerate([2.0, 1.0, 3.0]):
        store.write(record(step, value), save_tensor, nothing)
    assert names(tmp_path) == ["best", "step-000001", "step-000002"]
    assert store.newest() == record(2, 3.0), "a run goes on from the newest"


def test_one_without_its_marker_does_not_count_and_is_removed(store, tmp_path):
    store.write(record(1), save_tensor, nothing)
    store.write(record(2), save_tensor, nothing)
    (tmp_path / "step-000002" / "plaudit.json").unlink()
    (tmp_path / ".tmp-step-000003").mkdir()
    assert store.newest() == record(1)
    store.remove_incomplete()
    assert names(tmp_path) == ["step-000001"]


def test_a_crash_while_writing_leaves_the_older_one_in_place(store, tmp_path):
    store.write(record(1), save_tensor, nothing)

    def crash(directory: str) -> str:
        save_tensor(directory)
        raise KeyError("crash")

    with pytest.raises(KeyError):
        store.write(record(2), crash, nothing)
    assert names(tmp_path) == ["step-000001"]


def test_a_full_disk_names_the_setting_the_value_and_the_fix(store, tmp_path, limited_file_size):
    store.write(record(1), save_tensor, nothing)
    with limited_file_size(4000), pytest.raises(ConfigError) as caught:
        store.write(record(2), save_tensor, nothing)
    assert "--run-dir" in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert "the checkpoint of step 2" in caught.value.message
    assert "budget.keep_checkpoints" in caught.value.fix
    assert names(tmp_path) == ["step-000001"]


def test_what_is_no_disk_error_is_not_called_one(store):
    def broken(directory: str) -> str:
        raise RuntimeError("some bug")

    with pytest.raises(RuntimeError, match="some bug"):
        store.write(record(1), broken, nothing)
