"""The end of a process that torchrun or accelerate started."""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_teardown() -> Iterator[None]:
    """What returns, or raises SystemExit, in it ends the process with that code and no other.

    Threads of gloo and DeepSpeed may still call into the interpreter while it is taken down, and
    abort a process that has done its work: so it leaves before, once the callbacks at exit that
    were registered in here have run.
    """
    codes: list[int] = []
    atexit.register(_leave, codes)
    try:
        yield
    except SystemExit as error:
        codes.append(error.code if isinstance(error.code, int) else int(error.code is not None))
        raise
    codes.append(0)


def _leave(codes: list[int]) -> None:
    if codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(codes[0])
