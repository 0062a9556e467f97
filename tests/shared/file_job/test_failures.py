"""The items that failed, from one run to the next."""

from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.file_job.failures import Failure, read_failures, write_failures
from plaudit.file_job.progress import Progress
from plaudit.judging.items import Item
from plaudit.schemas.judge import PairwiseRequest


def item(name: str) -> Item:
    return Item(name, PairwiseRequest(prompt=[], a="1", b="2"), "ab")


def test_failures_are_there_for_the_next_run_and_gone_when_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "failures"
    failures = {"1": Failure(id="1", error="too long", num_failures=2)}
    write_failures(path, failures)
    assert read_failures(path) == failures
    write_failures(path, {})
    assert not path.exists() and read_failures(path) == {}


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "failures").write_text("[]")
    with pytest.raises(ConfigError, match="no list of failures"):
        read_failures(tmp_path / "failures")


def test_what_failed_is_another_job_next_time_and_what_was_cut_off_the_same() -> None:
    progress = Progress(2)
    assert progress.key(item("1")) == "ab.0"
    progress.fail(item("1"), "too long")
    following = Progress(2, earlier_failures=progress.unsolved())
    assert [following.key(item(name)) for name in "12"] == ["ab.1", "ab.0"]
    following.fail(item("1"), "too long")
    assert following.unsolved()["1"].num_failures == 2


def test_a_failure_that_the_next_run_did_not_come_to_is_not_forgotten() -> None:
    earlier = {"1": Failure(id="1", error="too long")}
    assert Progress(2, earlier_failures=earlier).unsolved() == earlier
