"""How many processes at once are worth it here."""

import os


def cores() -> int:
    """CPU cores that this process may use: under `taskset` or in a job of a batch system fewer than
    the machine has.
    """
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
