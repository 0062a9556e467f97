"""The garbage collector of a process that serves."""

import gc


def exempt_from_collection() -> None:
    """What a process has at its start stays, so the garbage collector need not look through it.

    It would do so many times a second, which took a quarter of the CPU time of API and workers.
    """
    gc.collect()
    gc.freeze()
