"""The end of a program and of everything that it has started.

In a pid namespace the kernel does it: nothing in there outlives process 1. Without one, the
monitor inherits what the program leaves behind, and ends it.
"""

import os
import resource
import signal
import time
from contextlib import suppress

from plaudit_sandbox.launcher import kernel
from plaudit_sandbox.launcher.tree import descendants

END_TIMEOUT_S = 5.0
_ROUND_S = 0.001


def inherit_orphans() -> None:
    """What loses its parent below the calling process becomes its child, daemons, too."""
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)


def end_all(child: int, first: int | None) -> tuple[int, resource.struct_rusage]:
    """Kill whatever still runs and collect the program's exit status and usage.

    `first` is process 1 of the program's pid namespace, where it has one.
    """
    if first is not None:
        os.kill(first, signal.SIGKILL)
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # It has not reached setsid yet, or it is gone.
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    if first is not None:
        os.waitpid(first, 0)
    _end_orphans()
    return status, usage


def _end_orphans() -> None:
    """Until no child is left: what forks while it is looked for is found in the next round.

    None may fork once it has been seen, so the rounds come to an end.
    """
    deadline_s = time.monotonic() + END_TIMEOUT_S
    while _has_children():
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_NPROC, (0, 0))
                os.kill(pid, signal.SIGKILL)
        time.sleep(_ROUND_S)
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"processes of the program are left after {END_TIMEOUT_S:g} s")


def _has_children() -> bool:
    """Reaps those that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False
