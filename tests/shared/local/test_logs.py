from pathlib import Path

from plaudit.local.logs import LineSplitter, RotatingLog, printable


def test_lines_are_put_together_across_reads() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b"one\ntw")) == ["one"]
    assert list(splitter.feed(b"o\n\nthr")) == ["two", ""]
    assert list(splitter.flush()) == ["thr"]


def test_a_progress_bar_leaves_its_last_state_only() -> None:
    assert list(LineSplitter().feed(b" 10%\r 50%\r100%\r\n")) == ["100%"]


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert list(LineSplitter().feed(b"\xff!\n")) == ["�!"]


def test_terminal_control_is_taken_out() -> None:
    assert printable("a\x1b[2Jb\x1b]52;c;aGk=\x07c\x9b31md\te\x00") == "abc31md\te"


def test_the_log_rotates_by_size_and_keeps_two_backups(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "a.log", max_bytes=20, num_backups=2)
    for index in range(12):
        log.write(f"line {index:04d}")
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert (tmp_path / "a.log").read_text() == "line 0010\nline 0011\n"
    assert (tmp_path / "a.log.2").read_text() == "line 0006\nline 0007\n"


def test_a_log_that_cannot_be_written_counts_what_it_lost(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "missing" / "a.log")
    log.write("one")
    assert log.num_lost == 1
    (tmp_path / "missing").mkdir()
    log.write("two")
    log.close()
    assert (tmp_path / "missing" / "a.log").read_text() == "two\n"
