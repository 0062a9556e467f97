"""The end of what has left the program's process group, where no filter keeps it in."""

import subprocess
import sys
from pathlib import Path

import pytest

MONITOR = """
import os, time
from plaudit_sandbox.launcher.end import end_all, inherit_orphans
inherit_orphans()
told, tell = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    PROGRAM
os.close(tell)
pids = os.read(told, 100).split()
end_all(child, None)
print(*(pid.decode() for pid in pids if os.path.exists(f"/proc/{pid.decode()}")), "left")
"""
DAEMON = """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid(); os.write(tell, str(os.getpid()).encode()); time.sleep(100)
        os._exit(0)
    os.wait(); os._exit(0)
"""
HOPPER = """
    while True:
        if os.fork() == 0:
            os.setsid(); os.write(tell, f"{os.getpid()} ".encode()); os.close(tell)
            while os.fork() == 0: os.setsid()
            os._exit(0)
        time.sleep(100)
"""


@pytest.mark.parametrize("program", [DAEMON, HOPPER], ids=["daemon", "hopper"])
def test_a_daemon_of_a_daemon_is_found_and_ended(program: str) -> None:
    """A hopper is a new process every moment: each forks the next one and ends."""
    code = MONITOR.replace("    PROGRAM", program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "left\n", done.stderr
    assert running(code) == []


def running(code: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if code.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found
