"""The output file of a job: what is in it is not asked again, and it ends in the input's order."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from plaudit.errors import ConfigError, Unauthorized
from plaudit.file_job.journal import Journal
from plaudit.file_job.progress import Progress
from plaudit.file_job.work import work_through
from plaudit.schemas.common import Contract


class Line(Contract):
    id: str
    key: str = "ab"


@dataclass(frozen=True)
class Row:
    item_id: str
    key: str = "ab"


def opened(path: Path) -> Journal[Line]:
    return Journal(path, Line.model_validate_json, "a line")


def ids(path: Path) -> list[str]:
    return [Line.model_validate_json(line).id for line in path.read_text().splitlines()]


def test_lines_are_sorted_by_the_order_given_and_others_come_last(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with opened(path) as journal:
        for name in ("c", "other", "a", "b"):
            journal.append(line := Line(id=name), line.model_dump_json())
        journal.sort({"a": 0, "b": 1, "c": 2})
    assert ids(path) == ["a", "b", "c", "other"]
    before = path.stat().st_ino
    with opened(path) as journal:
        assert journal.has(Row("c")) and not journal.has(Row("d"))
        journal.sort({"a": 0, "b": 1, "c": 2})
    assert path.stat().st_ino == before, "a sorted file is left alone"


def test_another_question_under_the_same_id_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as journal:
        journal.append(line := Line(id="1"), line.model_dump_json())
        with pytest.raises(ConfigError, match="another question or other options"):
            journal.has(Row("1", "cd"))


async def test_each_item_is_worked_on_once_and_the_first_error_stops_all() -> None:
    done: list[int] = []

    async def work(item: int) -> None:
        await asyncio.sleep(0)
        if item == 30:
            raise Unauthorized("no key")
        done.append(item)

    await work_through(iter(range(20)), 8, work)
    assert sorted(done) == list(range(20))
    with pytest.raises(Unauthorized, match="no key"):
        await work_through(iter(range(20, 1000)), 8, work)
    assert len(done) < 100


def test_what_is_answered_is_passed_over_and_counted() -> None:
    changes: list[int] = []
    progress = Progress(3)
    progress.changed = lambda: changes.append(progress.num_done())
    rows = [Row("a"), Row("b"), Row("c")]
    for row in progress.open(rows, lambda row: row.item_id == "a"):
        if row.item_id == "b":
            progress.succeed(row)
        else:
            progress.fail(row, "too long")
    assert changes == [1, 2, 3]
    assert (progress.num_earlier, progress.num_answered, len(progress.failures)) == (1, 1, 1)
