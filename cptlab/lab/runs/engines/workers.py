"""What a worker process of this machine does when it starts: it watches the command it is of."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import AbstractContextManager

from joblib import parallel_config
from joblib.externals.loky import process_executor

SECONDS = 1
"""Between two looks at the parent process."""


def worker_processes(jobs: int, threads: int) -> AbstractContextManager[object]:
    """joblib's setting for `jobs` worker processes, which end with this process, however it ends.

    threads: that torch, BLAS and the like take in each.
    """
    return parallel_config(
        "loky",
        n_jobs=jobs,
        inner_max_num_threads=threads,
        initializer=begin,
        initargs=(os.getpid(),),
    )


def begin(parent: int) -> None:
    """In a new worker: end it when its parent is gone; loky itself lets it finish what it has.

    loky also replaces a worker that takes 300 MB more than after its first item, with a warning.
    Items differ by more (zero-shot's pass is a small one), so here no growth is a leak.
    """
    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS)
    os._exit(1)  # nothing is lost: passes go on from their last checkpoint
