"""A cgroup for each run: in the kernel's own hierarchy, and in a directory that stands for one.

Few test machines delegate the memory controller, so what is written to it is tested against the
directory; that processes enter, end together and leave nothing, against the kernel.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plaudit_sandbox.launcher import cgroup
from plaudit_sandbox.launcher.cgroup import Delegation

OURS = "plaudit-test"


@pytest.fixture
def hierarchy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Delegation]:
    """A directory of the kernel's, without controllers: it need not have any to spare."""
    own = cgroup.own_directory()
    if own is None or not os.access(own, os.W_OK):
        pytest.skip("no hierarchy of cgroup version 2 in which this user may make directories")
    monkeypatch.setattr(cgroup, "CONTROLLERS", ())
    monkeypatch.setattr(cgroup, "_limit", lambda *_: None)
    directory = Path(own) / f"{OURS}-{os.getpid()}"
    directory.mkdir()
    delegation = cgroup.prepare(str(directory), os.getuid(), service_pid=0)
    yield delegation
    (Path(own) / "cgroup.procs").write_text(str(os.getpid()))
    (directory / cgroup.LEAF).rmdir()
    directory.rmdir()


def test_a_process_enters_and_is_ended(hierarchy: Delegation) -> None:
    cgroup.check(hierarchy)


def test_a_fork_bomb_ends_at_once_and_leaves_nothing(hierarchy: Delegation) -> None:
    group = hierarchy.new_group(2**24, 8)
    code = """
import os, sys, time
with open(sys.argv[1], "w") as file: file.write("0")
for _ in range(5): os.fork()
if os.fork() == 0: os.setsid()
print("up", flush=True)
time.sleep(60)
"""
    procs = f"/proc/{os.getpid()}/fd/{group.handle}/cgroup.procs"
    command = [sys.executable, "-c", code, procs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bomb:
        assert bomb.stdout is not None
        for _ in range(64):
            bomb.stdout.readline()
        group.kill()
        assert bomb.wait(timeout=30) == -signal.SIGKILL
        group.remove()
        assert bomb.stdout.read() == ""


def test_one_that_a_killed_monitor_left_is_taken_over(hierarchy: Delegation) -> None:
    stale = hierarchy.new_group(2**24, 8)
    sleeper = subprocess.Popen(["sleep", "60"])
    procs = Path(f"/proc/self/fd/{stale.handle}/cgroup.procs")
    procs.write_text(str(sleeper.pid))
    group = hierarchy.new_group(2**24, 8)
    assert sleeper.wait(timeout=30) == -signal.SIGKILL
    group.remove()


def test_what_still_holds_a_process_is_not_silently_kept(hierarchy: Delegation) -> None:
    group = hierarchy.new_group(2**24, 8)
    sleeper = subprocess.Popen(["sleep", "60"])
    Path(f"/proc/self/fd/{group.handle}/cgroup.procs").write_text(str(sleeper.pid))
    with pytest.raises(OSError, match="busy"):
        group.remove()
    group.kill()
    sleeper.wait(timeout=30)
    group.remove()


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.procs").write_text("17\n18\n4711\n")
    return tmp_path


def test_the_limits_are_written(stand_in: Path) -> None:
    (stand_in / "cgroup.subtree_control").write_text("cpu memory pids\n")
    delegation = cgroup.prepare(str(stand_in), os.getuid(), 0)
    delegation.new_group(300 * 2**20, 64)
    run = stand_in / f"run-{os.getpid()}"
    written = {file.name: file.read_text() for file in run.iterdir()}
    assert written == {
        "memory.max": str(300 * 2**20), "memory.swap.max": "0", "memory.oom.group": "1",
        "pids.max": "64",
    }  # fmt: skip


@pytest.mark.parametrize(("events", "verdict"), [("0", False), ("1", True)])
def test_the_kernel_says_when_memory_ran_out(stand_in: Path, events: str, verdict: bool) -> None:
    (stand_in / "cgroup.subtree_control").write_text("memory pids")
    group = cgroup.prepare(str(stand_in), os.getuid(), 0).new_group(2**24, 8)
    text = f"low 0\nhigh 0\nmax 3\noom 1\noom_kill {events}\noom_group_kill 0\n"
    (stand_in / group.name / "memory.events").write_text(text)
    assert group.out_of_memory() is verdict


def test_controllers_are_enabled_once_the_service_is_out_of_the_way(stand_in: Path) -> None:
    cgroup.prepare(str(stand_in), os.getuid(), 4711)
    assert (stand_in / cgroup.LEAF / "cgroup.procs").read_text() == "4711"
    assert (stand_in / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_a_hierarchy_without_the_controllers_is_none(stand_in: Path) -> None:
    (stand_in / "cgroup.controllers").write_text("cpu hugetlb pids\n")
    with pytest.raises(OSError, match="no memory"):
        cgroup.prepare(str(stand_in), os.getuid(), 0)


def test_a_directory_that_is_no_hierarchy_does_not_pass_the_check(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "_TIMEOUT_S", 0.1)
    (stand_in / "cgroup.subtree_control").write_text("memory pids")
    started = time.monotonic()
    with pytest.raises(OSError, match="not empty"):
        cgroup.check(cgroup.prepare(str(stand_in), os.getuid(), 0))
    assert time.monotonic() - started < 10
