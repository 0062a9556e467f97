"""How many threads torch may use."""

import os


def default_num_threads(num_processes: int) -> int:
    """Half of the cores, shared by all ranks; the engines and services need the other half.

    Threads that outnumber the free cores spin while they wait for each other: on a full machine of
    two cores, two threads made a step of the demo 50 times slower than one.
    """
    return max(1, len(os.sched_getaffinity(0)) // 2 // num_processes)
