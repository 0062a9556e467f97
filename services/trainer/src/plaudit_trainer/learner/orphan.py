"""A worker of torchrun or accelerate must not outlive its launcher."""

import os
import threading
import time

POLL_S = 1.0
EXIT_CODE = 1


def exit_when_orphaned() -> None:
    """Watch in the background. A launcher that is killed takes none of its workers along."""
    launcher = os.getppid()
    thread = threading.Thread(target=_watch, args=(launcher,), name="orphan-watch", daemon=True)
    thread.start()


def _watch(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(POLL_S)
    # At once: the main thread may hang in a collective with a rank that is gone.
    os._exit(EXIT_CODE)
