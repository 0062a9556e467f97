"""What a process of torchrun ends with is what its work ended with."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, contextlib, os, sys, threading, time
from plaudit_trainer.learner.teardown import without_teardown

class Native:
    def __del__(self):
        os.abort()

native = Native()

def late():
    time.sleep(0.2)
    sys.stdout.write("thread ")

with {context}:
    atexit.register(sys.stdout.write, "callback")
    threading.Thread(target=late).start()
    {end}
"""


def ended(context: str, end: str) -> "subprocess.CompletedProcess[str]":
    program = PROGRAM.format(context=context, end=end)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0), ("sys.exit()", 0), ("sys.exit(0)", 0), ("sys.exit(2)", 2),
        ("sys.exit('no')", 1),
    ],
)  # fmt: skip
def test_its_threads_and_callbacks_end_and_nothing_is_taken_down(end: str, code: int) -> None:
    done = ended("without_teardown()", end)
    assert (done.returncode, done.stdout) == (code, "thread callback")


def test_a_teardown_that_aborts_would_be_seen() -> None:
    done = ended("contextlib.nullcontext()", "pass")
    assert (done.returncode, done.stdout) == (-signal.SIGABRT, "thread callback")


def test_an_error_nobody_expected_keeps_its_traceback() -> None:
    done = ended("without_teardown()", "1 / 0")
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
